// Probes: /healthz says that the process answers, /readyz that database and object store do; vLLM's /health and /ping are /readyz without a body,
// and its /load says how much there is to do.
import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { readPackageVersion } from '../config/package-version.js';
import { EnginesService } from '../runtime/runtime.service.js';
import { OBJECT_STORE, type ObjectStore } from '../storage/object-store.js';
import { fail } from './health.errors.js';

const PROBE_TIMEOUT_MS = 5_000;

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly dataSource: DataSource,
    @Inject(OBJECT_STORE) private readonly objectStore: ObjectStore,
    private readonly engines: EnginesService,
  ) {}

  @Get('healthz')
  @ApiOperation({ summary: 'The process answers' })
  health(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('readyz')
  @ApiOperation({ summary: 'Database and object store answer' })
  async ready(): Promise<{ status: 'ready' }> {
    await this.probe('the database', this.dataSource.query('SELECT 1'));
    await this.probe('the object store', this.objectStore.ping());
    return { status: 'ready' };
  }

  @Get(['health', 'ping'])
  @ApiOperation({ summary: 'As /readyz, with an empty body: what vLLM and SageMaker call their probes' })
  async healthy(): Promise<void> {
    await this.ready();
  }

  @Get('load')
  @ApiOperation({ summary: "Requests for tokens that are not answered yet, as vLLM's /load counts them, and those of them that wait" })
  load(): { server_load: number; waiting: number } {
    const { open, waiting } = this.engines.countRequests();
    return { server_load: open, waiting };
  }

  @Get('version')
  @ApiOperation({ summary: "The hub's version" })
  async version(): Promise<{ version: string }> {
    return { version: await readPackageVersion() };
  }

  private async probe(failing: string, answer: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${PROBE_TIMEOUT_MS} ms`)), PROBE_TIMEOUT_MS);
    });
    try {
      await Promise.race([answer, timeout]);
    } catch (error) {
      throw fail('NOT_READY', { failing }, error);
    } finally {
      clearTimeout(timer);
    }
  }
}
