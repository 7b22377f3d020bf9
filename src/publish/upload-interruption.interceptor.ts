// Tells an upload that its client broke off from a fault of ours: the form parser's error says the same of both.
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { type Request } from 'express';
import { catchError, type Observable, throwError } from 'rxjs';
import { fail } from './publish.errors.js';

/** Stands before the interceptor that reads the form. */
@Injectable()
export class UploadInterruptionInterceptor implements NestInterceptor {
  /** The handler's answer; its errors become BraidError UPLOAD_INTERRUPTED once the request ended before its body did. */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    return next.handle().pipe(
      catchError((error: unknown) => {
        const brokenOff = request.destroyed && !request.complete;
        return throwError(() => (brokenOff ? fail('UPLOAD_INTERRUPTED', {}, error) : error));
      }),
    );
  }
}
