// What can go wrong with the database as such.
import { type ErrorTable } from '../http/braid-error.js';

export const databaseErrors = {
  DATA_DIRECTORY_IN_USE: {
    status: 503,
    message:
      'The data folder {directory} is in use by process {pid}: one hub at a time can use an embedded database. Stop that process, choose another BRAID_DATA, or set DATABASE_URL to share a PostgreSQL.',
  },
} as const satisfies ErrorTable;
