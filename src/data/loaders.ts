/** Minibatches of token sequences for truncated back-propagation through time, as D2L partitions a corpus. */
import { checkBoolean, checkInteger, checkOptions } from '../check.js';
import { DeepRnnError, expected } from '../errors.js';
import { nextSeed, RandomSource } from '../random.js';
import { Corpus } from './corpus.js';

/** One minibatch: inputs and the tokens that follow them, time-major. */
export interface SequenceBatch {
  /** Inputs [T,B], row-major: the token of step t in sequence b is `x[t * batchSize + b]`. */
  x: Int32Array;
  /** Targets [T,B]: the corpus one token further. */
  y: Int32Array;
  /** T */
  steps: number;
  /** B */
  batchSize: number;
}

/** A source of minibatches; each iteration is one epoch. */
export interface SequenceLoader extends Iterable<SequenceBatch> {
  /** Whether each minibatch continues the sequences of the one before it, so that the state may be carried over. */
  readonly consecutive: boolean;
}

/** Options of {@link ConsecutiveLoader} and {@link RandomLoader}. */
export interface LoaderOptions {
  /** B: sequences side by side. Default 32. */
  batchSize?: number;
  /** T: tokens a sequence. Default 35. */
  steps?: number;
  /** Of the offsets and of the order; the same seed repeats every epoch's minibatches. Default: from the global seed. */
  seed?: number;
  /** Draw a new offset of 0..T tokens for each epoch; without it each epoch begins at the first token. Default true. */
  randomOffset?: boolean;
}

abstract class PartitionLoader implements SequenceLoader {
  /** Whether the samples of a minibatch continue those of the one before. */
  abstract readonly consecutive: boolean;
  /** Sequences in a minibatch, B. */
  readonly batchSize: number;
  /** Tokens in a sequence, T. */
  readonly steps: number;
  protected readonly ids: Int32Array;
  protected readonly random: RandomSource;
  private readonly randomOffset: boolean;

  constructor(corpus: Corpus | Int32Array, options: LoaderOptions = {}) {
    checkOptions(options, 'options', ['batchSize', 'steps', 'seed', 'randomOffset']);
    const { batchSize = 32, steps = 35, seed = nextSeed(), randomOffset = true } = options;
    checkInteger(batchSize, 'batchSize', { min: 1 });
    checkInteger(steps, 'steps', { min: 1 });
    checkBoolean(randomOffset, 'randomOffset');
    this.random = new RandomSource(seed);
    const ids = corpus instanceof Corpus ? corpus.ids : corpus;
    if (!(ids instanceof Int32Array)) throw expected('a Corpus or an Int32Array of token ids', 'corpus', corpus);
    const needed = batchSize * steps + 1 + (randomOffset ? steps : 0);
    if (ids.length < needed) {
      throw new DeepRnnError(
        `The corpus of ${ids.length} tokens is too short for one minibatch of ${batchSize} sequences of ${steps} steps` +
          ` at every offset: it takes ${needed}. Use a smaller batchSize or steps`,
      );
    }
    this.ids = ids;
    this.batchSize = batchSize;
    this.steps = steps;
    this.randomOffset = randomOffset;
  }

  /** Inclusive at both ends, as Python's `random.randint(0, num_steps)`. */
  protected drawOffset(): number {
    return this.randomOffset ? this.random.nextInteger(0, this.steps) : 0;
  }

  /** The minibatch whose sequence b begins at token `starts[b]`. */
  protected batchAt(starts: ArrayLike<number>): SequenceBatch {
    const { ids, batchSize, steps } = this;
    const x = new Int32Array(steps * batchSize);
    const y = new Int32Array(steps * batchSize);
    for (let b = 0; b < batchSize; ++b) {
      for (let t = 0; t < steps; ++t) {
        x[t * batchSize + b] = ids[starts[b] + t];
        y[t * batchSize + b] = ids[starts[b] + t + 1];
      }
    }
    return { x, y, steps, batchSize };
  }

  /** One epoch of minibatches. */
  abstract [Symbol.iterator](): Iterator<SequenceBatch>;
}

/**
 * Sequential partitioning: the corpus from a random offset is cut into B long rows, and minibatch i holds columns
 * [i T, (i+1) T) of them, so row b of minibatch i+1 goes on where row b of minibatch i ended.
 *
 * Source: D2L, "Language Models and the Dataset", `seq_data_iter_consecutive`.
 *
 * @throws ArgumentError for a wrong option; DeepRnnError when the corpus is too short for one minibatch.
 *
 * @example
 * const corpus = await loadCorpus({ text: 'so it goes, '.repeat(100) });
 * for (const { x, y } of new ConsecutiveLoader(corpus, { batchSize: 4, steps: 8 })) console.log(x.length, y.length);
 */
export class ConsecutiveLoader extends PartitionLoader {
  readonly consecutive = true;

  /** One epoch of minibatches. */
  *[Symbol.iterator](): Generator<SequenceBatch> {
    const { ids, batchSize, steps } = this;
    const offset = this.drawOffset();
    const columns = Math.floor((ids.length - offset - 1) / batchSize);
    for (let column = 0; column + steps <= columns; column += steps) {
      yield this.batchAt(Array.from({ length: batchSize }, (_, row) => offset + row * columns + column));
    }
  }
}

/**
 * Random partitioning: the corpus from a random offset is cut into pieces of T tokens which are dealt out in random order; an
 * incomplete last minibatch is left out.
 *
 * Source: D2L, "Language Models and the Dataset", `seq_data_iter_random`.
 *
 * @throws ArgumentError for a wrong option; DeepRnnError when the corpus is too short for one minibatch.
 *
 * @example
 * const corpus = await loadCorpus({ text: 'so it goes, '.repeat(100) });
 * const loader = new RandomLoader(corpus, { batchSize: 4, steps: 8, seed: 1 });
 */
export class RandomLoader extends PartitionLoader {
  readonly consecutive = false;

  /** One epoch of minibatches. */
  *[Symbol.iterator](): Generator<SequenceBatch> {
    const { ids, batchSize, steps } = this;
    const offset = this.drawOffset();
    const count = Math.floor((ids.length - offset - 1) / steps);
    const starts = Array.from({ length: count }, (_, index) => offset + index * steps);
    this.random.shuffle(starts);
    for (let first = 0; first + batchSize <= count; first += batchSize) {
      yield this.batchAt(starts.slice(first, first + batchSize));
    }
  }
}
