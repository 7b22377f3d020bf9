/* global __dirname, __filename */
// Which way imports may go. `npx depcruise --config .dependency-cruiser.cjs src kernels migrations` checks it on the sources.
const { join } = require('node:path');

/** A room or several, as a path pattern: `rooms('publish', 'search')`. */
const rooms = (...names) => `^src/(${names.join('|')})/`;

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment:
        'Of two files that need each other, neither can be read, tested or replaced alone. (Entities name each other in types only.)',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that nothing answers fails at start, or hides a file from the rules below.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-package',
      comment: 'A package that package.json does not list among its dependencies is there by luck.',
      severity: 'error',
      from: { path: '^(src|kernels|migrations)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'kernels-stand-alone',
      comment: 'The mathematics is written as values: it must run and be checked without a hub, a file, a network or an engine around it.',
      severity: 'error',
      from: { path: '^kernels/' },
      to: { pathNot: '^kernels/' },
    },
    {
      name: 'product-needs-no-tests',
      comment: 'What ships must not lean on tests, measurements or examples.',
      severity: 'error',
      from: { path: '^(src|kernels|migrations)/' },
      to: { path: '^(dist/)?(test|bench|examples)/' },
    },
    {
      name: 'migrations-stand-alone',
      comment: 'A migration says what was done on its day; with an import from src it would change when src does.',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { pathNot: ['^migrations/', 'node_modules/typeorm/'] },
    },
    {
      name: 'adapters-come-before-compositions',
      comment:
        'Publishing and finding adapters must work, and be changed, without those who use them: compose, evaluate and serve stand on them.',
      severity: 'error',
      from: {
        path: rooms('publish', 'search', 'registry', 'base-models', 'signatures', 'peft', 'gguf', 'safetensors', 'tokenizer', 'runtime'),
      },
      to: { path: rooms('compose', 'evaluate', 'serve') },
    },
    {
      name: 'compose-does-not-serve',
      comment:
        'Both compute through the engines of src/runtime; a job that went through the serving routes would queue behind its own users.',
      severity: 'error',
      from: { path: rooms('compose') },
      to: { path: rooms('serve') },
    },
    {
      name: 'evaluate-stands-alone',
      comment: 'An evaluation measures what others made: it asks the engines itself, and compose and serve work without it.',
      severity: 'error',
      from: { path: rooms('evaluate') },
      to: { path: rooms('compose', 'serve', 'publish', 'search') },
    },
    {
      name: 'nobody-needs-evaluations',
      comment: 'An evaluation measures what others made; they must work without it. (Search reads its rows.)',
      severity: 'error',
      from: { path: rooms('compose', 'serve') },
      to: { path: rooms('evaluate') },
    },
    {
      name: 'nobody-needs-exports',
      comment: 'An export is the last thing that is done with what others made: they must work without it.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(export|cli)/', '^src/app.module.ts$'] },
      to: { path: rooms('export') },
    },
    {
      name: 'exports-need-no-engine',
      comment: 'What is exported is computed from the bytes that are stored: no search, no job and no session stands in the way.',
      severity: 'error',
      from: { path: rooms('export') },
      to: { path: rooms('compose', 'evaluate', 'serve', 'search', 'signatures', 'work') },
    },
    {
      name: 'metrics-look-on',
      comment: 'What counts and traces stands beside the work: serving announces its answers, and nothing else needs to be watched.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(metrics|tracing|serve|cli)/', '^src/(app.module|start-hub).ts$'] },
      to: { path: rooms('metrics', 'tracing') },
    },
    {
      name: 'metrics-know-no-wire',
      comment: 'An answer is counted the same whichever protocol asked for it.',
      severity: 'error',
      from: { path: rooms('metrics', 'tracing') },
      to: { path: rooms('serve', 'publish', 'evaluate', 'search', 'export') },
    },
    {
      name: 'one-way-to-prometheus',
      comment: "Names, buckets and the cap on labels are kept in one place, or a client's text becomes a time series.",
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/metrics/' },
      to: { path: 'node_modules/prom-client/' },
    },
    {
      name: 'one-way-to-opentelemetry',
      comment: 'It is loaded where traces are wanted, and then only.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/tracing/otlp-tracer.ts$' },
      to: { path: 'node_modules/@opentelemetry/' },
    },
    {
      name: 'file-formats-know-no-hub',
      comment: 'Readers and writers of the files of others are functions of bytes and of a base model, tried without a hub around them.',
      severity: 'error',
      from: { path: rooms('gguf', 'peft', 'safetensors') },
      to: { path: '^src/', pathNot: rooms('gguf', 'peft', 'safetensors', 'ids', 'http') },
    },
    {
      name: 'ground-floor',
      comment: 'Configuration, ids, logs, storage and database are under every room; a look upwards from there is a cycle in waiting.',
      severity: 'error',
      from: { path: rooms('config', 'ids', 'logging', 'storage', 'database') },
      to: { path: '^src/', pathNot: rooms('config', 'ids', 'logging', 'storage', 'database', 'http') },
    },
    {
      name: 'registry-asks-nobody',
      comment: 'The registry alone writes its rows and knows no room that asks it to.',
      severity: 'error',
      from: { path: rooms('registry') },
      to: { path: '^src/', pathNot: rooms('registry', 'config', 'ids', 'database', 'http') },
    },
    {
      name: 'long-work-knows-no-kind',
      comment: 'Leases, runner and streams are the same for every kind of long work, because they know none of them.',
      severity: 'error',
      from: { path: rooms('work') },
      to: { path: '^src/', pathNot: rooms('work', 'registry', 'ids', 'http') },
    },
    {
      name: 'engine-in-one-place',
      comment:
        'Sessions live in worker processes; ONNX Runtime loaded anywhere else would compute, and crash, in the process that answers requests.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/runtime/worker/' },
      to: { path: 'node_modules/onnxruntime' },
    },
    {
      name: 'worker-is-reached-by-messages',
      comment: 'Only types of the worker may be imported: a value would pull its code, and the engine, into the process of the hub.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/runtime/worker/' },
      to: { path: '^src/runtime/worker/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'sql-in-few-places',
      comment:
        'Rows are written by the registry, by compose (its jobs) and by evaluate, for both of them by work, read by search besides, and the probe asks whether they answer; the rest asks them.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(database|registry|search|compose|evaluate|work|health)/'] },
      to: { path: 'node_modules/(@nestjs/)?typeorm/' },
    },
    {
      name: 'one-way-to-postgres',
      comment: 'Both homes read types alike because one place opens them.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/database/' },
      to: { path: 'node_modules/(pg|@electric-sql)/' },
    },
    {
      name: 'one-way-to-s3',
      comment: 'Where objects lie is a matter of configuration; everybody else uses the port in object-store.ts.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/storage/' },
      to: { path: 'node_modules/minio/' },
    },
    {
      name: 'nobody-needs-the-command-line',
      comment: 'Commands are a client of the hub; the hub must not need its client.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: ['^src/cli/', 'node_modules/(commander|cli-progress|cli-table3)/'] },
    },
    {
      name: 'commands-talk-http',
      comment:
        'A command knows the hub by its answers: types of every room, values only of ids, errors, the configuration, plans, drawings, checkpoints and the start of a hub or worker.',
      severity: 'error',
      from: { path: rooms('cli') },
      to: {
        path: ['^src/', 'node_modules/(@nestjs|typeorm|pg|minio|onnxruntime)'],
        pathNot: ['^src/(cli|ids|config|plan|drawing|checkpoints)/', '^src/start-(hub|worker).ts$', '^src/http/braid-error.ts$'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'plans-need-no-hub',
      comment:
        "A plan is arithmetic on a configuration, made before anything is there: no files, no network. It counts by PEFT's matching and the engine's own sizes, so that it cannot drift from them.",
      severity: 'error',
      from: { path: '^src/plan/' },
      to: {
        pathNot: [
          '^(src/plan|kernels)/',
          '^src/peft/match-modules.ts$',
          '^src/runtime/(adapter-fit|engine-limits).ts$',
          '^src/http/braid-error.ts$',
        ],
      },
    },
    {
      name: 'nobody-needs-spectra',
      comment: 'Spectra are for people who look at what others made; everything must work without them.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/spectra/', '^src/app.module.ts$', '^src/cli/'] },
      to: { path: rooms('spectra') },
    },
    {
      name: 'spectra-know-factors-only',
      comment: 'What an update is can be seen from its factors; spectra measure no model and know no search.',
      severity: 'error',
      from: { path: rooms('spectra') },
      to: { path: rooms('compose', 'evaluate', 'serve', 'search') },
    },
    {
      name: 'checkpoints-need-no-hub',
      comment:
        'What a training left lies on the machine of the person: it becomes an adapter there, read and checked by the code of the hub, without database, store or engine.',
      severity: 'error',
      from: { path: rooms('checkpoints') },
      to: {
        path: ['^src/', 'node_modules/(@nestjs|typeorm|pg|minio|onnxruntime)'],
        pathNot: [
          '^src/(checkpoints|ids|peft|safetensors|linear-algebra|statistics)/',
          '^src/base-models/(load-base-model-files|digest-weights|read-small-file).ts$',
          '^src/publish/read-base-weight.ts$',
          '^src/http/braid-error.ts$',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'optimizers-are-pure',
      comment: 'A searcher asks and is told: no input or output, so that a job can be replayed from its seed.',
      severity: 'error',
      from: { path: '^src/compose/optimizers/' },
      to: { pathNot: '^src/(compose/optimizers|statistics)/' },
    },
    {
      name: 'statistics-stand-alone',
      comment: 'Random streams and intervals are functions of numbers: whoever holds a result can compute it again.',
      severity: 'error',
      from: { path: '^src/statistics/' },
      to: { pathNot: '^src/statistics/' },
    },
    {
      name: 'drawing-stands-alone',
      comment: 'Markup and places are functions of texts and numbers: the hub draws pages with them, and the command line pictures.',
      severity: 'error',
      from: { path: '^src/drawing/' },
      to: { pathNot: '^src/drawing/' },
    },
    {
      name: 'linear-algebra-stands-alone',
      comment: 'Decompositions are functions of numbers, for whoever has a matrix: they know no adapter, hub or file.',
      severity: 'error',
      from: { path: '^src/linear-algebra/' },
      to: { pathNot: ['^src/linear-algebra/', 'node_modules/ml-matrix/'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    // Imports of types count: they too decide what can be read alone.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: join(__dirname, 'tsconfig.json') },
    webpackConfig: { fileName: __filename },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.json'],
    },
  },
};

// The package's own #src/… imports lead to dist/, which need not be built; here they lead to the sources. The tool takes aliases only
// from a webpack configuration, so this file is one too, out of sight of the check of the rules' form.
Object.defineProperty(module.exports, 'resolve', {
  value: { alias: Object.fromEntries(['src', 'kernels', 'migrations', 'test'].map((root) => [`#${root}`, join(__dirname, root)])) },
});
