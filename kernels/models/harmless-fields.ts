// Fields of config.json that no family's mathematics reads.

/** Fields that say nothing about a forward pass at inference: bookkeeping, token ids, training, generation defaults. */
export const HARMLESS_FIELDS: ReadonlySet<string> = new Set([
  // written by transformers and the tools around it
  ...[
    '_name_or_path',
    'architectures',
    'model_type',
    'transformers_version',
    'torch_dtype',
    'dtype',
    'use_cache',
    'transformers.js_config',
  ],
  ...['_attn_implementation', '_attn_implementation_autoset', 'attn_implementation', 'unsloth_fixed', 'unsloth_version', 'is_llama_config'],
  ...['tokenizer_class', 'tokenizer_padding_side', 'tokenizer_model_max_length', 'model_max_length', 'max_sequence_length', 'prefix'],
  ...['return_dict', 'output_hidden_states', 'output_attentions', 'torchscript', 'pruned_heads', 'chunk_size_feed_forward', 'is_decoder'],
  ...['id2label', 'label2id', 'problem_type', 'finetuning_task', 'task_specific_params', 'language', 'license'],
  // token ids
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'unk_token_id', 'sep_token_id', 'decoder_start_token_id'],
  // training
  ...['initializer_range', 'attention_dropout', 'hidden_dropout', 'hidden_dropout_prob', 'embd_pdrop', 'resid_pdrop', 'attn_pdrop'],
  ...['router_aux_loss_coef', 'classifier_dropout'],
  // generation defaults that older versions kept here
  ...['max_length', 'max_new_tokens', 'min_length', 'do_sample', 'early_stopping', 'num_beams', 'num_beam_groups', 'diversity_penalty'],
  ...['temperature', 'top_k', 'top_p', 'typical_p', 'repetition_penalty', 'length_penalty', 'no_repeat_ngram_size'],
  ...['encoder_no_repeat_ngram_size', 'bad_words_ids', 'num_return_sequences', 'output_scores', 'return_dict_in_generate'],
  ...['forced_bos_token_id', 'forced_eos_token_id', 'remove_invalid_values', 'exponential_decay_length_penalty', 'suppress_tokens'],
  ...['begin_suppress_tokens', 'cache_implementation'],
]);
