// vLLM's route for loading an adapter. It has no counterpart that unloads: memory is given up when others need it, and a name is served
// as long as it is published.
import type { ServerResponse } from 'node:http';
import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { OpenAiBodyPipe } from '#src/serve/openai-body.pipe.js';
import { openAiErrorSchema } from '#src/serve/openai-schemas.js';
import { LoadLoraRequestDto } from '#src/serve/runtime-lora/load-lora-request.dto.js';
import { RuntimeLoraService } from '#src/serve/runtime-lora/runtime-lora.service.js';
import { clientSignal } from '#src/serve/request-signal.js';

@ApiTags('vllm')
@ApiResponse({ status: 400, description: 'What was asked cannot be; param names the field', schema: openAiErrorSchema })
@ApiResponse({ status: 403, description: 'lora_updating_off', schema: openAiErrorSchema })
@ApiResponse({ status: 404, description: 'lora_not_published', schema: openAiErrorSchema })
@Controller('v1')
export class RuntimeLoraController {
  constructor(private readonly runtimeLora: RuntimeLoraService) {}

  // The body is a mapped type, for OpenAiBodyPipe: see OpenAiController.
  @Post('load_lora_adapter')
  @HttpCode(200)
  @ApiOperation({ summary: 'Bring a published adapter into memory; only with BRAID_ALLOW_RUNTIME_LORA_UPDATING=true' })
  @ApiBody({ type: LoadLoraRequestDto })
  @ApiOkResponse({ description: 'A line of text', content: { 'text/plain': { schema: { type: 'string' } } } })
  async load(
    @Body(new OpenAiBodyPipe(LoadLoraRequestDto, 'loadLora')) body: Readonly<LoadLoraRequestDto>,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.runtimeLora.load(body, clientSignal(response));
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`Success: LoRA adapter '${body.lora_name}' is loaded.`);
  }
}
