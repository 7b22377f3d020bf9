// Turns requests away that are no form, before anything of them is parsed as one.
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type Request } from 'express';
import { fail } from './publish.errors.js';
import { ALLOWED_FILES } from './upload-storage.js';

@Injectable()
export class MultipartGuard implements CanActivate {
  /** @throws BraidError UPLOAD_NOT_MULTIPART */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    if (/^multipart\/form-data\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) return true;
    throw fail('UPLOAD_NOT_MULTIPART', { allowed: ALLOWED_FILES });
  }
}
