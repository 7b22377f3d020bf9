// The largest rank that is published, for commands that say it before anything else is loaded.
export { MAX_RANK } from '#src/peft/config-fields.js';
