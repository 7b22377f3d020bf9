// One input through several models, side by side.
import type { ServerResponse } from 'node:http';
import { Body, Controller, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { CompareRequestDto } from '#src/serve/compare/compare-request.dto.js';
import { CompareService } from '#src/serve/compare/compare.service.js';
import { OpenAiBodyPipe } from '#src/serve/openai-body.pipe.js';
import { comparisonSchema, openAiErrorSchema } from '#src/serve/openai-schemas.js';
import { requestSignal } from '#src/serve/request-signal.js';
import { sendAnswer } from '#src/serve/send-answer.js';

// The body is a mapped type, for OpenAiBodyPipe: see OpenAiController.
@ApiTags('braid')
@ApiResponse({ status: 400, description: 'What was asked cannot be; param names the field', schema: openAiErrorSchema })
@Controller('v1')
export class CompareController {
  constructor(
    private readonly comparisons: CompareService,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'requestTimeoutMs'>,
  ) {}

  @Post('compare')
  @HttpCode(200)
  @ApiOperation({ summary: 'One prompt or conversation through many models at once; what one refuses is its own error' })
  @ApiBody({ type: CompareRequestDto })
  @ApiOkResponse({ schema: comparisonSchema })
  async compare(
    @Body(new OpenAiBodyPipe(CompareRequestDto, 'compare')) body: Readonly<CompareRequestDto>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const signal = requestSignal(response, this.configuration.requestTimeoutMs);
    await sendAnswer(response, { body: await this.comparisons.compare(body, signal) }, signal);
  }
}
