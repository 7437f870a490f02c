/** What the generated modules of docs.test.ts import beside the package; runs in the process that runs the examples. */
import { ConsecutiveLoader, loadCorpus, Tensor, type timeMachine as TimeMachine } from 'deep-rnn';

/** A stand-in for `timeMachine` where its text is missing: another text as minibatches of the same size. */
export const timeMachine: typeof TimeMachine = async ({ batchSize, steps, seed } = {}) => {
  const corpus = await loadCorpus({
    text: 'the time traveller came back and told us of the time machine. '.repeat(160),
  });
  return {
    loader: new ConsecutiveLoader(corpus, { batchSize, steps, seed }),
    vocabulary: corpus.vocabulary,
    corpus,
  };
};

function agrees(actual: unknown, claim: unknown): boolean {
  if (typeof claim === 'number') return typeof actual === 'number' && Math.abs(actual - claim) < 1e-5;
  if (!Array.isArray(claim)) return actual === claim;
  return Array.isArray(actual) && actual.length === claim.length && claim.every((one, i) => agrees(actual[i], one));
}

/** @throws Error unless a value is what the comment after it shows: a tensor's values or its shape, or any other value. */
export async function expectShown(value: unknown, claim: unknown): Promise<void> {
  if (value instanceof Tensor && agrees([...value.shape], claim)) return;
  const plain =
    value instanceof Tensor ? await value.array() : ArrayBuffer.isView(value) ? [...(value as Int32Array)] : value;
  if (!agrees(plain, claim))
    throw new Error(`The comment shows ${JSON.stringify(claim)}, not ${JSON.stringify(plain)}`);
}
