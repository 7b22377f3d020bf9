// Why the hub's metrics cannot be had.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const metricsErrors = {
  METRICS_OFF: { status: 404, message: 'This hub keeps no metrics: it was started with BRAID_METRICS=false.' },
} as const satisfies ErrorTable;

export const failMetrics = errorsOf(metricsErrors);
