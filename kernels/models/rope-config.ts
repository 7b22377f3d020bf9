// Rotary positions as config.json has them: transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 `rope_parameters`.
import type { Rope, RopeScaling } from '../nn/rope-frequencies.js';
import type { ConfigReader } from './config-reader.js';

/** Positions are fp32 in the rotary tables: beyond 2^24 neighbours are no longer distinct. */
export const MAX_POSITIONS = 2 ** 24;

export interface RopeOptions {
  /** What transformers takes where the file names none. @default 10000, as in Llama 2's files */
  readonly defaultTheta?: number;
  /** The scalings that the model's class knows. @default every one of {@link SCALINGS} */
  readonly scalings?: readonly string[];
  /** The share of a head that turns, as `partial_rotary_factor` has it. @default 1 */
  readonly partialFactor?: number;
  /** Numbers of a head that turn. */
  readonly dim: number;
  readonly maxPositionEmbeddings: number;
}

const SCALINGS = ['linear', 'llama3', 'yarn'] as const satisfies readonly RopeScaling['type'][];
const DEFAULT_THETA = 10_000;

/**
 * The rope of a configuration, in either spelling; one that carries both must say the same twice.
 * @throws ModelConfigError naming the field that is malformed, unsupported or contradictory
 */
export function readRope(reader: ConfigReader, options: RopeOptions): Rope {
  const plainTheta = reader.positive('rope_theta', { fallback: 0 });
  const section = reader.section('rope_scaling');
  const scaling = section && readScaling(section, options);
  section?.refuseUnknown(new Set());
  const parameters = reader.section('rope_parameters');
  if (!parameters) return createRope(plainTheta || (options.defaultTheta ?? DEFAULT_THETA), options.dim, scaling);
  const rope = readRopeParameters(parameters, { ...options, defaultTheta: plainTheta || (options.defaultTheta ?? DEFAULT_THETA) });
  if (plainTheta && plainTheta !== rope.theta)
    throw reader.error('rope_parameters.rope_theta', `${rope.theta} contradicts rope_theta ${plainTheta}`);
  if (scaling && JSON.stringify(scaling) !== JSON.stringify(rope.scaling))
    throw reader.error('rope_parameters', 'contradicts rope_scaling; leave one of them out');
  return rope;
}

/** The rope of one section in transformers 5's spelling: `rope_parameters`, or a layer type's part of it. */
export function readRopeParameters(section: ConfigReader, options: RopeOptions): Rope {
  const scaling = readScaling(section, options);
  const theta = section.positive('rope_theta', { fallback: options.defaultTheta ?? DEFAULT_THETA });
  section.refuseUnknown(new Set());
  return createRope(theta, options.dim, scaling);
}

function createRope(theta: number, dim: number, scaling: RopeScaling | undefined): Rope {
  return { theta, dim, ...(scaling ? { scaling } : {}) };
}

function readScaling(
  section: ConfigReader,
  { scalings = SCALINGS, partialFactor = 1, maxPositionEmbeddings }: RopeOptions,
): RopeScaling | undefined {
  const types = ['rope_type', 'type'].map((field) => {
    section.oneOf(field, ['default', ...scalings, undefined]);
    return section.take(field);
  });
  const [type = types[1], otherType = type] = types;
  if (type !== otherType) throw section.error('type', `${JSON.stringify(otherType)} contradicts rope_type ${JSON.stringify(type)}`);
  section.oneOf('partial_rotary_factor', [partialFactor, undefined]);
  switch (type) {
    case 'linear':
      return { type, factor: section.positive('factor') };
    case 'llama3':
      return readLlama3(section);
    case 'yarn':
      return readYarn(section, maxPositionEmbeddings);
    default:
      return undefined;
  }
}

function readLlama3(section: ConfigReader): RopeScaling {
  const [low, high] = [section.positive('low_freq_factor'), section.positive('high_freq_factor')];
  if (low >= high) throw section.error('high_freq_factor', `must be above low_freq_factor ${low}, found ${high}`);
  return {
    type: 'llama3',
    factor: section.positive('factor'),
    lowFrequencyFactor: low,
    highFrequencyFactor: high,
    originalPositions: section.integer('original_max_position_embeddings', { max: MAX_POSITIONS }),
  };
}

/** With the defaults of transformers' `_compute_yarn_parameters`. */
function readYarn(section: ConfigReader, maxPositionEmbeddings: number): RopeScaling {
  const factor = section.positive('factor');
  const [scale, scaleOfAll] = [section.positive('mscale', { fallback: 0 }), section.positive('mscale_all_dim', { fallback: 0 })];
  const magnitudeOf = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const magnitude = scale && scaleOfAll ? magnitudeOf(scale) / magnitudeOf(scaleOfAll) : magnitudeOf(1);
  return {
    type: 'yarn',
    factor,
    betaFast: section.positive('beta_fast', { fallback: 32 }),
    betaSlow: section.positive('beta_slow', { fallback: 1 }),
    originalPositions: section.integer('original_max_position_embeddings', { max: MAX_POSITIONS, fallback: maxPositionEmbeddings }),
    isTruncated: section.boolean('truncate', true),
    magnitude: section.positive('attention_factor', { fallback: magnitude }),
  };
}
