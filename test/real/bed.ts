// The real test bed: SmolLM2-135M-Instruct, its PEFT adapters and unseen tasks, in a `shared` folder beside the repository (or BRAID_SHARED).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

export interface Example {
  readonly prompt: string;
  readonly completion: string;
}

export interface ExpectedCase {
  readonly targetNll: readonly number[];
  readonly greedyIds: readonly number[];
  readonly greedyText: string;
}

export interface ExpectedNumbers {
  readonly cases: readonly { readonly prompt: string; readonly promptIds: readonly number[]; readonly targetIds: readonly number[] }[];
  readonly base: readonly ExpectedCase[];
  readonly adapters: Readonly<Record<string, readonly ExpectedCase[]>>;
  readonly compositions: readonly {
    readonly name: string;
    readonly parts: readonly { readonly adapter: string; readonly weight: number }[];
    readonly expected: readonly ExpectedCase[];
  }[];
}

/** One line of LoraHub's results on the bed. */
export interface PeerResult {
  readonly task: string;
  readonly seed: number;
  readonly method: string;
  readonly loss?: number;
  readonly objective?: number;
  readonly em: number;
  readonly examples: readonly number[];
  /** By adapter's name; of the methods that search. */
  readonly weights?: Readonly<Record<string, number>>;
}

export class RealBed {
  constructor(
    readonly shared: string,
    readonly modelDirectory: string,
  ) {}

  get adapterNames(): string[] {
    return readdirSync(join(this.shared, 'adapters')).sort();
  }

  adapterDirectory(name: string): string {
    return join(this.shared, 'adapters', name);
  }

  /** The 22 plain LoRA adapters of rank 16: the candidates of LoraHub's run. */
  get candidates(): string[] {
    return this.adapterNames.filter((name) => {
      const config = readJson(join(this.adapterDirectory(name), 'adapter_config.json')) as Record<string, unknown>;
      return config['peft_type'] === 'LORA' && config['r'] === 16 && config['use_dora'] !== true && config['use_rslora'] !== true;
    });
  }

  get expected(): ExpectedNumbers {
    return readJson(join(this.shared, 'expected', 'smollm2.json')) as ExpectedNumbers;
  }

  get peerResults(): PeerResult[] {
    return readLines(join(this.shared, 'expected', 'compose.jsonl')) as PeerResult[];
  }

  get tasks(): string[] {
    return readdirSync(join(this.shared, 'tasks')).sort();
  }

  train(task: string): Example[] {
    return readLines(join(this.shared, 'tasks', task, 'train.jsonl')) as Example[];
  }

  test(task: string): Example[] {
    return readLines(join(this.shared, 'tasks', task, 'test.jsonl')) as Example[];
  }
}

/** Finds the bed and makes sure of the model (half a minute the first time; kept in the user's cache). */
export function openRealBed(): RealBed {
  const shared = resolve(process.env['BRAID_SHARED'] ?? join(repositoryRoot, '..', 'shared'));
  if (!existsSync(join(shared, 'adapters'))) {
    throw new Error(`The real test bed is not at ${shared}: put it there or name its place in BRAID_SHARED.`);
  }
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid');
  const modelDirectory = join(cache, 'smollm2-135m-instruct');
  if (!existsSync(join(modelDirectory, 'model.safetensors'))) {
    mkdirSync(cache, { recursive: true });
    const venv = join(cache, 'prepare-venv');
    run('python3', ['-m', 'venv', venv]);
    run(join(venv, 'bin', 'pip'), ['install', '--quiet', 'numpy', 'gguf==0.19.0']);
    run(join(venv, 'bin', 'python'), [join(shared, 'models', 'prepare.py'), modelDirectory], {
      PATH: `${venv}/bin:${process.env['PATH'] ?? ''}`,
    });
  }
  return new RealBed(shared, modelDirectory);
}

function run(command: string, args: readonly string[], env: Record<string, string> = {}): void {
  const result = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(result.status ?? result.error?.message)}`);
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function readLines(path: string): unknown[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): unknown => JSON.parse(line));
}
