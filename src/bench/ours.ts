/** The workloads with this package, through its public interface. */
import { Vocabulary } from '../data/vocabulary.js';
import type { Device } from '../device.js';
import { LanguageModel } from '../models/language-model.js';
import { DeepGRU } from '../nn/gru.js';
import { Linear } from '../nn/linear.js';
import { DeepLSTM } from '../nn/lstm.js';
import { Module } from '../nn/module.js';
import type { RecurrentInput, RecurrentStack } from '../nn/recurrent.js';
import { DeepRNN } from '../nn/rnn.js';
import { tensor } from '../ops/create.js';
import { crossEntropy, randn, sum } from '../ops/index.js';
import { clipGradNorm } from '../optim/clip.js';
import { SGD } from '../optim/sgd.js';
import { manualSeed } from '../random.js';
import { scope } from '../scope.js';
import { backward } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { type Contestant, timeSteps } from './contestant.js';
import type { Workload } from './workload.js';

const IGNORED = -100;

/** Starts a workload on a device. */
export function startOurs(workload: Workload, device: Device): Contestant {
  manualSeed(0);
  return { train: startTraining, stack: startStack, generate: startGeneration }[workload.task](workload, device);
}

/** A recurrent stack with token input and a linear layer to the logits of the next token. */
export class TokenModel extends Module {
  readonly rnn: RecurrentStack;
  readonly head: Linear;

  constructor(workload: Workload, device: Device) {
    super();
    const { vocabulary } = workload;
    this.rnn = stackOf(workload, vocabulary, device);
    this.head = new Linear({ inputs: this.rnn.outputSize * this.rnn.directions, outputs: vocabulary, device });
  }

  override forward(tokens: Tensor, options?: RecurrentInput): Tensor {
    return this.head.forward(this.rnn.forward(tokens, options).output);
  }
}

/** Tokens and targets [T,B] to train on, the same in every run; targets past a sequence's length don't count. */
export function tokensOf({ steps, batch, vocabulary, lengths }: Workload): { x: Int32Array; y: Int32Array } {
  const x = Int32Array.from({ length: steps * batch }, (_, i) => (i * 7919) % vocabulary);
  const counts = (i: number) => lengths === undefined || Math.floor(i / batch) < lengths[i % batch];
  return { x, y: x.map((token, i) => (counts(i) ? (token + 1) % vocabulary : IGNORED)) };
}

function stackOf(workload: Workload, inputSize: number, device: Device): RecurrentStack {
  const { cell, layers, hidden: hiddenSize, projection: projSize, bidirectional, precision } = workload;
  const options = { layers, hiddenSize, inputSize, bidirectional, precision, device };
  if (cell === 'lstm') return new DeepLSTM({ ...options, projSize });
  if (cell === 'gru') return new DeepGRU(options);
  return new DeepRNN({ ...options, nonlinearity: cell === 'rnnRelu' ? 'relu' : 'tanh' });
}

function startTraining(workload: Workload, device: Device): Contestant {
  const { steps, batch, lengths } = workload;
  const model = new TokenModel(workload, device);
  const optimizer = new SGD({ learningRate: 0.1 }).attach(model);
  const { x, y } = tokensOf(workload);
  const shape = [steps, batch];
  const step = (): Promise<number> =>
    scope(() => {
      const logits = model.forward(tensor(x, { shape, device }), { lengths });
      const loss = crossEntropy(logits, tensor(y, { shape, device }), { ignoreIndex: IGNORED });
      optimizer.zeroGrad();
      backward(loss);
      clipGradNorm(model, 1);
      optimizer.step();
      return loss.item() as Promise<number>;
    });
  return {
    name: 'deep-rnn',
    run: (count) => timeSteps(step, count),
    close() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

function startStack(workload: Workload, device: Device): Contestant {
  const { steps, batch, hidden, lengths } = workload;
  const stack = stackOf(workload, hidden, device);
  const data = randn([steps, batch, hidden], { device });
  const step = (): Promise<number> =>
    scope(() => {
      const x = data.detach();
      x.requiresGrad = true;
      const total = sum(stack.forward(x, { lengths }).output);
      stack.zeroGrad();
      backward(total);
      return total.item() as Promise<number>;
    });
  return {
    name: 'deep-rnn',
    run: (count) => timeSteps(step, count),
    close() {
      data.dispose();
      stack.dispose();
    },
  };
}

function startGeneration(workload: Workload, device: Device): Contestant {
  const vocabulary = alphabet(workload.vocabulary);
  const model = new LanguageModel(stackOf(workload, vocabulary.size, device), { vocabulary });
  const [, prefix] = vocabulary.tokens;
  return {
    name: 'deep-rnn',
    run: (length) => timeSteps(() => model.generate(prefix, { length }), 1),
    close: () => model.dispose(),
  };
}

/** A vocabulary of so many tokens. */
export function alphabet(size: number): Vocabulary {
  return new Vocabulary(Array.from({ length: size - 1 }, (_, i) => String.fromCodePoint(0x61 + i)));
}
