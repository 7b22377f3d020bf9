// vLLM's routes between text and tokens.
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { OpenAiBodyPipe } from '#src/serve/openai-body.pipe.js';
import { integer, list, object, openAiErrorSchema, text } from '#src/serve/openai-schemas.js';
import { DetokenizeRequestDto, TokenizeRequestDto } from '#src/serve/tokenize/tokenize-request.dto.js';
import { type TokenizedPrompt, TokenizeService } from '#src/serve/tokenize/tokenize.service.js';

const tokenizedSchema = object({
  count: { type: 'integer', description: 'What usage.prompt_tokens of a request with this prompt would be' },
  max_model_len: integer,
  tokens: list(integer),
  token_strs: { type: 'array', items: text, nullable: true, description: 'With return_token_strs: as the vocabulary writes them' },
});

// Bodies are mapped types, for OpenAiBodyPipe: see OpenAiController.
@ApiTags('vllm')
@ApiResponse({ status: 400, description: 'What was asked cannot be; param names the field', schema: openAiErrorSchema })
@ApiResponse({ status: 404, description: 'model_not_found', schema: openAiErrorSchema })
@Controller()
export class TokenizeController {
  constructor(private readonly tokenizer: TokenizeService) {}

  @Post('tokenize')
  @HttpCode(200)
  @ApiOperation({ summary: 'The tokens of a prompt or a conversation, as this model would read it' })
  @ApiBody({ type: TokenizeRequestDto })
  @ApiOkResponse({ schema: tokenizedSchema })
  tokenize(@Body(new OpenAiBodyPipe(TokenizeRequestDto, 'tokenize')) body: Readonly<TokenizeRequestDto>): Promise<TokenizedPrompt> {
    return this.tokenizer.tokenize(body);
  }

  @Post('detokenize')
  @HttpCode(200)
  @ApiOperation({ summary: 'The text of tokens, special ones written out' })
  @ApiBody({ type: DetokenizeRequestDto })
  @ApiOkResponse({ schema: object({ prompt: text }) })
  detokenize(
    @Body(new OpenAiBodyPipe(DetokenizeRequestDto, 'detokenize')) body: Readonly<DetokenizeRequestDto>,
  ): Promise<{ prompt: string }> {
    return this.tokenizer.detokenize(body);
  }
}
