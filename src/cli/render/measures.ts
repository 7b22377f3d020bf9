// The words for a composition's losses and successes; the hub sends them with the report.
import { type CompositionView } from '../hub-views.js';

type Measures = Pick<NonNullable<CompositionView['report']['measures']>, 'unit' | 'of' | 'success'>;

// Compositions from before there were several objectives have no words: they minimised the likelihood.
const LIKELIHOOD: Measures = { unit: 'nats', of: 'per answer token', success: 'exact answers' };

export function measuresOf({ measures }: CompositionView['report']): Measures {
  return measures ?? LIKELIHOOD;
}
