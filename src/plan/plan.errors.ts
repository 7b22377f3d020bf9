// What a plan cannot be made for: a model that is not supported, modules that are not there, sizes that do not fit it.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const planErrors = {
  PLAN_CONFIG_UNSUPPORTED: {
    status: 422,
    message: 'Nothing can be planned for this model: {reason}.',
    fields: ['field', 'reason'],
  },
  PLAN_TARGETS_UNMATCHED: {
    status: 422,
    message:
      'No module of the model is called {found}. Name some of {allowed}, a whole path such as model.layers.0.self_attn.q_proj, or all-linear.',
    fields: ['found', 'allowed'],
  },
  PLAN_RANK_TOO_HIGH: {
    status: 422,
    message:
      'Rank {found} is more than {path} can have: its weight is {dOut} × {dIn}, so {limit} is the highest. Lower the rank or leave {target} out.',
    fields: ['found', 'path', 'limit'],
  },
  PLAN_TOO_LONG: {
    status: 422,
    message: 'The {what} of {found} tokens is longer than the model reads: max_position_embeddings is {limit}. Give at most {limit}.',
    fields: ['what', 'found', 'limit'],
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(planErrors);
