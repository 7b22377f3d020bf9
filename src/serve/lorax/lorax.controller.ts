// LoRAX's routes, for its clients.
import type { ServerResponse } from 'node:http';
import { Body, Controller, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { loraxErrorBody } from '#src/http/lorax-error.js';
import { LoraxCompatRequestDto, LoraxRequestDto } from '#src/serve/lorax/lorax-request.dto.js';
import { loraxErrorSchema, loraxSchema } from '#src/serve/lorax/lorax-schemas.js';
import { LoraxService } from '#src/serve/lorax/lorax.service.js';
import { OpenAiBodyPipe } from '#src/serve/openai-body.pipe.js';
import { list, streamable } from '#src/serve/openai-schemas.js';
import { requestSignal } from '#src/serve/request-signal.js';
import { sendAnswer } from '#src/serve/send-answer.js';

const STREAM = { errorBody: loraxErrorBody };
const EVENT = '`data: {token, generated_text, details}`';

// Bodies are mapped types, for OpenAiBodyPipe: see OpenAiController.
@ApiTags('lorax')
@ApiResponse({ status: 400, description: 'What was asked cannot be', schema: loraxErrorSchema })
@ApiResponse({ status: 404, description: 'There is no such adapter', schema: loraxErrorSchema })
@ApiResponse({ status: 429, description: 'The model has as many requests waiting as it takes', schema: loraxErrorSchema })
@Controller()
export class LoraxController {
  constructor(
    private readonly lorax: LoraxService,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'requestTimeoutMs'>,
  ) {}

  @Post('generate')
  @HttpCode(200)
  @ApiOperation({ summary: 'Continue a text with an adapter, with merged adapters or with the base' })
  @ApiBody({ type: LoraxRequestDto })
  @ApiOkResponse({ schema: loraxSchema })
  async generate(
    @Body(new OpenAiBodyPipe(LoraxRequestDto, 'lorax', 'parameters')) body: Readonly<LoraxRequestDto>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const signal = requestSignal(response, this.configuration.requestTimeoutMs);
    await sendAnswer(response, await this.lorax.generate(body, false, signal), signal, STREAM);
  }

  @Post('generate_stream')
  @HttpCode(200)
  @ApiOperation({ summary: 'As /generate, token by token' })
  @ApiBody({ type: LoraxRequestDto })
  @ApiOkResponse({ description: `Server-sent events ${EVENT}`, content: { 'text/event-stream': {} } })
  async generateStream(
    @Body(new OpenAiBodyPipe(LoraxRequestDto, 'lorax', 'parameters')) body: Readonly<LoraxRequestDto>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const signal = requestSignal(response, this.configuration.requestTimeoutMs);
    await sendAnswer(response, await this.lorax.generate(body, true, signal), signal, STREAM);
  }

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'As /generate in a list, or as /generate_stream with stream: true' })
  @ApiBody({ type: LoraxCompatRequestDto })
  @ApiOkResponse(streamable(list(loraxSchema), EVENT))
  async compat(
    @Body(new OpenAiBodyPipe(LoraxCompatRequestDto, 'lorax', 'parameters')) body: Readonly<LoraxCompatRequestDto>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const signal = requestSignal(response, this.configuration.requestTimeoutMs);
    const answer = await this.lorax.generate(body, body.stream ?? false, signal);
    await sendAnswer(response, 'body' in answer ? { body: [answer.body] } : answer, signal, STREAM);
  }
}
