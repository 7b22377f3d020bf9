// What the routes of spectra answer.
import { ApiProperty } from '@nestjs/swagger';
import { LINEAR_CLASSES, type LinearClass } from '#kernels/lora/modules.js';

class ModulePlaceView {
  @ApiProperty({ example: 'model.layers.0.self_attn.q_proj' })
  readonly path: string;
  @ApiProperty({ description: '0 for modules outside the layers.' })
  readonly layer: number;
  @ApiProperty({ enum: LINEAR_CLASSES })
  readonly class: LinearClass;
}

export class ModuleSpectrumView extends ModulePlaceView {
  @ApiProperty({ description: "The factors' rank; of a composition the sum over its parts." })
  readonly rank: number;
  @ApiProperty({ type: [Number], description: 'Singular values of ΔW, the greatest first.' })
  readonly values: readonly number[];
  @ApiProperty({ description: '‖ΔW‖, Frobenius.' })
  readonly norm: number;
  @ApiProperty({ description: "‖W₀‖ of the base's weight." })
  readonly baseNorm: number;
  @ApiProperty({ description: '‖ΔW‖/‖W₀‖; 0 where the weight is zero.' })
  readonly relativeNorm: number;
  @ApiProperty({ description: 'Singular values above a millionth of the greatest.' })
  readonly numericalRank: number;
  @ApiProperty({ description: '‖ΔW‖²/σ₁²; 0 where nothing changes.' })
  readonly stableRank: number;
  @ApiProperty({ description: 'exp of the entropy of σᵢ/Σσ (Roy & Vetterli 2007); 0 where nothing changes.' })
  readonly effectiveRank: number;
  @ApiProperty({ type: String, nullable: true, description: 'What the figures leave out.' })
  readonly note: string | null;
}

export class SpectraView {
  @ApiProperty({ example: 'me/reverse@1.0.0' })
  readonly model: string;
  @ApiProperty({ enum: ['adapter', 'composition'] })
  readonly kind: 'adapter' | 'composition';
  @ApiProperty({ description: 'Name of the base model.' })
  readonly base: string;
  @ApiProperty({ description: '√Σ‖ΔW‖² over the modules.' })
  readonly norm: number;
  @ApiProperty({ description: 'That over √Σ‖W₀‖² of the same modules.' })
  readonly relativeNorm: number;
  @ApiProperty({ type: [ModuleSpectrumView], description: "In the base's order." })
  readonly modules: readonly ModuleSpectrumView[];
}

export class ModuleOverlapView extends ModulePlaceView {
  @ApiProperty({ type: [Number], description: 'Directions of the first and of the second that are more than rounding.' })
  readonly directions: readonly [first: number, second: number];
  @ApiProperty({
    type: Number,
    nullable: true,
    description: '‖UaᵀUb‖²/min(ra, rb), of what is written to; null where one changes nothing.',
  })
  readonly left: number | null;
  @ApiProperty({ type: Number, nullable: true, description: '‖VaᵀVb‖²/min(ra, rb), of what is read from.' })
  readonly right: number | null;
  @ApiProperty({ description: '`left` of random subspaces of these sizes, on average.' })
  readonly leftByChance: number;
  @ApiProperty({ description: '`right` of random subspaces.' })
  readonly rightByChance: number;
  @ApiProperty({ type: Number, nullable: true, description: '⟨ΔWa, ΔWb⟩/(‖ΔWa‖‖ΔWb‖).' })
  readonly cosine: number | null;
  @ApiProperty({ type: String, nullable: true, description: 'What the figures leave out.' })
  readonly note: string | null;
}

export class OverlapView {
  @ApiProperty({ example: 'me/reverse@1.0.0' })
  readonly first: string;
  @ApiProperty({ example: 'me/upper@1.0.0' })
  readonly second: string;
  @ApiProperty({ description: 'Name of the base model.' })
  readonly base: string;
  @ApiProperty({ type: Number, nullable: true, description: 'Of the whole updates, those of modules that only one changes included.' })
  readonly cosine: number | null;
  @ApiProperty({ type: [ModuleOverlapView], description: "Modules that both change, in the base's order." })
  readonly modules: readonly ModuleOverlapView[];
  @ApiProperty({ type: [String], description: 'Paths of modules that only the first changes.' })
  readonly onlyFirst: readonly string[];
  @ApiProperty({ type: [String], description: 'Paths of modules that only the second changes.' })
  readonly onlySecond: readonly string[];
}
