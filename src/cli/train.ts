/** `deep-rnn train`: trains a language model on text files and saves it. */
import { access } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';
import { type Corpus, loadCorpus } from '../data/corpus.js';
import { ConsecutiveLoader } from '../data/loaders.js';
import { PREPROCESSING, type Preprocessing, TOKEN_KINDS } from '../data/text.js';
import { device, setDefaultDevice } from '../device.js';
import { LanguageModel } from '../models/language-model.js';
import { DeepGRU } from '../nn/gru.js';
import { type Initializer, normal, orthogonal, uniform, xavierNormal, xavierUniform } from '../nn/init.js';
import { DeepLSTM } from '../nn/lstm.js';
import { DeepRNN } from '../nn/rnn.js';
import { Adagrad } from '../optim/adagrad.js';
import { Adam, AdamW } from '../optim/adam.js';
import type { Optimizer } from '../optim/optimizer.js';
import { RMSprop } from '../optim/rmsprop.js';
import { SGD } from '../optim/sgd.js';
import { manualSeed, nextSeed } from '../random.js';
import { type Epoch, perplexity } from '../train/metrics.js';
import { Trainer } from '../train/trainer.js';
import { Arguments, PRECISIONS, UsageError } from './arguments.js';
import type { Command } from './command.js';
import { Progress } from './progress.js';

const CELLS = { rnn: DeepRNN, gru: DeepGRU, lstm: DeepLSTM } as const;

/** Constructor and default learning rate. */
const OPTIMIZERS: Record<string, [new (options: { learningRate: number }) => Optimizer, number]> = {
  sgd: [SGD, 1],
  adam: [Adam, 0.002],
  adamw: [AdamW, 0.002],
  rmsprop: [RMSprop, 0.002],
  adagrad: [Adagrad, 0.02],
};

const INITIALIZERS: Record<string, (...numbers: number[]) => Initializer> = {
  normal: (std = 0.01) => normal(std),
  uniform: (bound = 0.1) => uniform(-bound, bound),
  'xavier-uniform': (gain) => xavierUniform(gain),
  'xavier-normal': (gain) => xavierNormal(gain),
  orthogonal: (gain) => orthogonal(gain),
};

const OPTIONS = [
  'cell',
  'layers',
  'hidden',
  'epochs',
  'batch',
  'steps',
  'learning-rate',
  'clip',
  'optimizer',
  'embedding',
  'dropout',
  'tokens',
  'precision',
  'preprocessing',
  'max-tokens',
  'min-frequency',
  'validation',
  'init',
  'seed',
  'threads',
  'save',
] as const;

export const train: Command = {
  help: `Trains a language model on text and saves it.

Usage: deep-rnn train <file...> [options]     ('time-machine' names D2L's text)

  --cell lstm|gru|rnn        (lstm)
  --layers <n>               (2)
  --hidden <n>               units of each layer (256)
  --embedding <n>            size of a learned embedding; without it the input is one-hot
  --dropout <p>              between layers and before the output (0)
  --epochs <n>               (50)
  --batch <n>                sequences side by side (32)
  --steps <n>                tokens that gradients reach back (35)
  --optimizer <name>         ${Object.keys(OPTIMIZERS).join(', ')} (adam)
  --learning-rate <x>        (${Object.entries(OPTIMIZERS)
    .map(([name, [, rate]]) => `${name} ${rate}`)
    .join(', ')})
  --clip <x>                 largest norm of the gradients; 0: no limit (1)
  --init <name[:number]>     default, ${Object.keys(INITIALIZERS).join(', ')}, such as normal:0.01 (default)
  --tokens char|word         (char)
  --preprocessing <name>     ${PREPROCESSING.join(', ')} (none; for time-machine d2l-2019)
  --max-tokens <n>           only so many tokens from the start
  --min-frequency <n>        rarer tokens become <unk> (0)
  --validation <fraction>    of the tokens, taken from the end and not trained on (0)
  --precision <name>         ${PRECISIONS.join(', ')}: operands of the recurrent products (float32)
  --seed <n>                 repeats the run
  --threads <n>              (all)
  --save <path>              (the first file's name with .safetensors, in this folder)

Ctrl-C finishes the step and saves.
`,

  async run(args) {
    const options = new Arguments(args, Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' }])));
    const files = options.positionals;
    if (files.length === 0) throw new UsageError('Expected at least one text file to train on');
    const settings = readSettings(options);
    const save = resolve(options.string('save', `${basename(files[0], extname(files[0]))}.safetensors`));
    await access(dirname(save)).catch(() => {
      throw new UsageError(`There is no folder ${dirname(save)} to save in`);
    });
    if (settings.threads > 0) setDefaultDevice(device('cpu', { threads: settings.threads }));
    if (settings.seed !== undefined) manualSeed(settings.seed);

    const { tokens, preprocessing, maxTokens, minFrequency, validation } = settings;
    const corpus = await loadCorpus(files, { tokens, preprocessing, maxTokens, minFrequency });
    const [training, held] = validation > 0 ? corpus.split(validation) : [corpus, undefined];
    using model = buildModel(corpus, settings);
    console.log(
      `${training.length.toLocaleString('en-US')} tokens, vocabulary of ${corpus.vocabulary.size}, ` +
        `${model.parameterCount.toLocaleString('en-US')} parameters`,
    );
    const last = await trainModel(model, training, held, settings);
    await model.save(save);
    if (last === undefined) console.log(`Stopped before the first step. Saved to ${save}`);
    else {
      const stopped = last.complete && last.number === settings.epochs ? 'Done' : `Stopped in epoch ${last.number}`;
      console.log(`${stopped}: perplexity ${perplexity(last.loss).toFixed(3)}. Saved to ${save}`);
    }
    return last?.number === settings.epochs && last.complete ? 0 : 130;
  },
};

type Settings = ReturnType<typeof readSettings>;

function readSettings(options: Arguments) {
  const optimizer = options.choice('optimizer', Object.keys(OPTIMIZERS), 'adam');
  const dropout = options.number('dropout', 0, 0);
  if (dropout >= 1) throw options.mistake('a number below 1', 'dropout');
  const validation = options.number('validation', 0, 0);
  if (validation >= 1) throw options.mistake('a fraction below 1', 'validation');
  return {
    cell: options.choice('cell', Object.keys(CELLS) as (keyof typeof CELLS)[], 'lstm'),
    layers: options.integer('layers', 1, 2),
    hiddenSize: options.integer('hidden', 1, 256),
    embedding: options.integer('embedding', 1),
    dropout,
    epochs: options.integer('epochs', 1, 50),
    batchSize: options.integer('batch', 1, 32),
    steps: options.integer('steps', 1, 35),
    optimizer,
    learningRate: options.number('learning-rate', 0, OPTIMIZERS[optimizer][1]),
    clipNorm: options.number('clip', 0, 1) || undefined,
    initializer: readInitializer(options),
    tokens: options.choice('tokens', TOKEN_KINDS, 'char'),
    preprocessing: options.has('preprocessing')
      ? options.choice<Preprocessing>('preprocessing', PREPROCESSING, 'none')
      : undefined,
    precision: options.choice('precision', PRECISIONS, 'float32'),
    maxTokens: options.integer('max-tokens', 1),
    minFrequency: options.integer('min-frequency', 0),
    validation,
    seed: options.integer('seed', 0),
    threads: options.integer('threads', 1, 0),
  };
}

function readInitializer(options: Arguments): Initializer | undefined {
  const text = options.string('init', 'default');
  if (text === 'default') return undefined;
  const [, name, number] = /^([a-z-]+)(?::(.+))?$/.exec(text) ?? [];
  const value = number === undefined ? undefined : Number(number);
  if (!Object.hasOwn(INITIALIZERS, name ?? '') || (value !== undefined && !Number.isFinite(value))) {
    throw options.mistake(`default or ${Object.keys(INITIALIZERS).join(', ')}, with :number`, 'init');
  }
  return value === undefined ? INITIALIZERS[name]() : INITIALIZERS[name](value);
}

function buildModel({ vocabulary }: Corpus, settings: Settings): LanguageModel {
  const { cell, layers, hiddenSize, embedding, dropout, precision, initializer } = settings;
  // Dropout between layers means nothing for a single one.
  const rnn = new CELLS[cell]({ layers, hiddenSize, dropout: layers > 1 ? dropout : 0, precision });
  const model = new LanguageModel(rnn, { vocabulary, embedding, dropout });
  return initializer === undefined ? model : model.initialize(initializer);
}

/** Trains until the end or an interruption; returns the last epoch, undefined when there was no step. */
async function trainModel(
  model: LanguageModel,
  training: Corpus,
  held: Corpus | undefined,
  settings: Settings,
): Promise<Epoch | undefined> {
  const { batchSize, steps, epochs, optimizer, learningRate, clipNorm } = settings;
  const loader = new ConsecutiveLoader(training, { batchSize, steps, seed: nextSeed() });
  const validation = held && new ConsecutiveLoader(held, { batchSize, steps, randomOffset: false });
  const progress = new Progress(process.stdout, epochs);
  const [OptimizerClass] = OPTIMIZERS[optimizer];
  const trainer = new Trainer(model, {
    optimizer: new OptimizerClass({ learningRate }),
    clipNorm,
    callbacks: progress,
  });
  const interruption = new AbortController();
  const interrupt = () => {
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
    progress.end();
    console.error('Finishing the step and saving; Ctrl-C again quits at once');
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let last: Epoch | undefined;
  try {
    for await (const epoch of trainer.fit(loader, { epochs, validation, signal: interruption.signal })) last = epoch;
    if (!interruption.signal.aborted) progress.end();
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
  return last;
}
