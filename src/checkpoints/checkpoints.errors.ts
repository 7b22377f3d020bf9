// What can be wrong with what a training left, before any hub is asked.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const checkpointsErrors = {
  RESTART_INVALID: {
    status: 422,
    message: '{directory} cannot be stacked: {reason}. Give the folders that save_pretrained wrote, one for each restart.',
    fields: ['directory', 'reason'],
  },
  RESTARTS_RANK_TOO_LARGE: {
    status: 422,
    message:
      'The restarts have rank {found} together in {path}, at most {allowed} is published: merge them into the base, and let braid extract --rank cut what came out.',
    fields: ['found', 'path', 'allowed'],
  },
  CHECKPOINT_BASE_DIFFERS: {
    status: 409,
    message:
      'The weights in {directory} are not those of {name}: the hub knows {expected}, found {found}. Give the folder with --base-dir.',
    fields: ['directory', 'name', 'expected', 'found'],
  },
  CHECKPOINT_CONFIG_DIFFERS: {
    status: 422,
    message: 'config.json of the checkpoint computes otherwise than that of its base: {reason}. A LoRA changes weights only.',
    fields: ['reason'],
  },
  CHECKPOINT_NOT_FINITE: {
    status: 422,
    message: '{tensor} minus the base holds {found} at index {index}, and every weight must be a finite number. Get a sound copy of both.',
    fields: ['tensor', 'found', 'index'],
  },
  CHECKPOINT_OTHERS_DIFFER: {
    status: 422,
    message:
      '{count} tensors differ that a LoRA cannot change: {tensors}. With --ignore-others they are left as the base has them, and what they did is lost.',
    fields: ['count', 'tensors'],
  },
  CHECKPOINT_UNCHANGED: {
    status: 422,
    message: 'No linear layer of the checkpoint differs from the base: there is nothing to extract.',
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(checkpointsErrors);
