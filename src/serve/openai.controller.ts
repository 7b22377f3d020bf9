// The OpenAI-compatible routes.
import type { ServerResponse } from 'node:http';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import { GenerationService } from '#src/serve/generation.service.js';
import type { ModelCard, ModelList } from '#src/serve/model-card.js';
import { OpenAiBodyPipe } from '#src/serve/openai-body.pipe.js';
import { chatSchema, completionSchema, modelListSchema, modelSchema, openAiErrorSchema, streamable } from '#src/serve/openai-schemas.js';
import { requestSignal } from '#src/serve/request-signal.js';
import { sendAnswer } from '#src/serve/send-answer.js';
import { ServedModelsService } from '#src/serve/served-models.service.js';

// Bodies are declared as mapped types, which leave no class for the application's validation pipe: that would refuse the fields that
// OpenAI's clients send beside those known here. OpenAiBodyPipe checks them instead.
@ApiTags('openai')
@ApiResponse({ status: 400, description: 'What was asked cannot be; param names the field', schema: openAiErrorSchema })
@ApiResponse({ status: 404, description: 'model_not_found', schema: openAiErrorSchema })
@Controller('v1')
export class OpenAiController {
  constructor(
    private readonly models: ServedModelsService,
    private readonly generation: GenerationService,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'requestTimeoutMs'>,
  ) {}

  @Get('models')
  @ApiOperation({ summary: 'Every base model, adapter and composition that can be named as model' })
  @ApiOkResponse({ schema: modelListSchema })
  listModels(): Promise<ModelList> {
    return this.models.list();
  }

  @Get('models/*id')
  @ApiOperation({ summary: 'One model: ns/name or ns/name@version' })
  @ApiParam({ name: 'id', example: 'braid/tiny-words' })
  @ApiOkResponse({ schema: modelSchema })
  getModel(@Param('id') id: string | string[]): Promise<ModelCard> {
    return this.models.get(Array.isArray(id) ? id.join('/') : id);
  }

  @Post('completions')
  @HttpCode(200)
  @ApiOperation({ summary: 'Continue, or with echo and max_tokens 0 score, texts or token lists' })
  @ApiBody({ type: CompletionRequestDto })
  @ApiOkResponse(streamable(completionSchema))
  @ApiResponse({
    status: 429,
    description: 'The model has as many requests waiting as it takes; come again after Retry-After',
    schema: openAiErrorSchema,
  })
  async complete(
    @Body(new OpenAiBodyPipe(CompletionRequestDto, 'completion')) body: Readonly<CompletionRequestDto>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const signal = requestSignal(response, this.configuration.requestTimeoutMs);
    await sendAnswer(response, await this.generation.complete(body, signal), signal);
  }

  @Post('chat/completions')
  @HttpCode(200)
  @ApiOperation({ summary: "Answer a conversation, written by the model's chat template" })
  @ApiBody({ type: ChatRequestDto })
  @ApiOkResponse(streamable(chatSchema))
  @ApiResponse({
    status: 429,
    description: 'The model has as many requests waiting as it takes; come again after Retry-After',
    schema: openAiErrorSchema,
  })
  async chat(
    @Body(new OpenAiBodyPipe(ChatRequestDto, 'chat')) body: Readonly<ChatRequestDto>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const signal = requestSignal(response, this.configuration.requestTimeoutMs);
    await sendAnswer(response, await this.generation.chat(body, signal), signal);
  }
}
