// Prints .env.example: `node dist/src/config/print-env-example.js > .env.example`.
import { renderEnvExample } from './env-example.js';

process.stdout.write(renderEnvExample());
