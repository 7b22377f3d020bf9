// Nest's logger over pino: every line of the hub is one JSON object on standard output, unless someone reads it in a terminal.
import { type LoggerService, type LogLevel } from '@nestjs/common';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { type Configuration } from '../config/configuration.js';
import { createTerminalLines } from './terminal-lines.js';

/** JSON lines on standard output; in a terminal, lines for the eye. */
function createDestination(): DestinationStream {
  return process.stdout.isTTY ? createTerminalLines(process.stdout) : pino.destination(1);
}

/** The root logger. What may hold a secret is cut out wherever it is logged. */
export function createRootLogger(level: Configuration['logLevel'], destination = createDestination()): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // The parameters of a failed statement are what users wrote, megabytes at times.
    redact: {
      paths: ['err.parameters', '*.authorization', '*.cookie', '*.password', '*.accessKey', '*.secretKey', '*.databaseUrl'],
      remove: true,
    },
  };
  return pino(options, destination);
}

// Nest's way of saying where a message comes from: the last parameter.
function splitContext(parameters: readonly unknown[]): [readonly unknown[], string | undefined] {
  const last = parameters.at(-1);
  return typeof last === 'string' ? [parameters.slice(0, -1), last] : [parameters, undefined];
}

// What Nest says about its own start: a hundred lines that matter to whoever debugs that.
const NEST_ROOMS = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication']);

export class PinoLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...parameters: unknown[]): void {
    this.write('info', message, parameters);
  }
  error(message: unknown, ...parameters: unknown[]): void {
    this.write('error', message, parameters);
  }
  warn(message: unknown, ...parameters: unknown[]): void {
    this.write('warn', message, parameters);
  }
  debug(message: unknown, ...parameters: unknown[]): void {
    this.write('debug', message, parameters);
  }
  verbose(message: unknown, ...parameters: unknown[]): void {
    this.write('trace', message, parameters);
  }
  fatal(message: unknown, ...parameters: unknown[]): void {
    this.write('fatal', message, parameters);
  }
  // The configuration decides the level, once.
  setLogLevels(_levels: LogLevel[]): void {}

  private write(level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace', message: unknown, parameters: readonly unknown[]): void {
    const [rest, room] = splitContext(parameters);
    if (level === 'info' && room !== undefined && NEST_ROOMS.has(room)) level = 'debug';
    const fields: Record<string, unknown> = room === undefined ? {} : { room };
    const error = [message, ...rest].find((value) => value instanceof Error);
    if (error !== undefined) fields['err'] = error;
    const stack = rest.find((value) => typeof value === 'string');
    if (error === undefined && stack !== undefined) fields['stack'] = stack;
    for (const value of rest) {
      if (typeof value === 'object' && value !== null && !(value instanceof Error)) Object.assign(fields, value);
    }
    if (typeof message === 'string') this.logger[level](fields, message);
    else if (message instanceof Error) this.logger[level](fields, message.message);
    else this.logger[level]({ ...fields, ...(typeof message === 'object' ? message : { value: message }) });
  }
}
