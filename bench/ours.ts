/** The training step of bench/cases.ts with this package, through its public interface. */
import {
  backward,
  clipGradNorm,
  crossEntropy,
  DeepGRU,
  DeepLSTM,
  DeepRNN,
  type Device,
  Linear,
  Module,
  manualSeed,
  SGD,
  scope,
  type Tensor,
  tensor,
} from 'deep-rnn';
import type { Case } from './cases.js';
import type { Peer } from './peers.js';

class Model extends Module {
  readonly rnn: DeepLSTM | DeepGRU | DeepRNN;
  readonly head: Linear;

  constructor(test: Case, device: Device) {
    super();
    const Stack = { lstm: DeepLSTM, gru: DeepGRU, rnn: DeepRNN }[test.cell];
    const { layers, hidden: hiddenSize, bidirectional, vocabulary } = test;
    this.rnn = new Stack({ layers, hiddenSize, bidirectional, inputSize: vocabulary, device });
    this.head = new Linear({ inputs: hiddenSize * (bidirectional ? 2 : 1), outputs: vocabulary, device });
  }

  override forward(tokens: Tensor): Tensor {
    return this.head.forward(this.rnn.forward(tokens).output);
  }
}

export function startOurs(test: Case, device: Device): Peer {
  manualSeed(0);
  const { steps, batch, vocabulary } = test;
  const model = new Model(test, device);
  const optimizer = new SGD({ learningRate: 0.1 }).attach(model);
  const tokens = Int32Array.from({ length: steps * batch }, (_, i) => (i * 7919) % vocabulary);
  const targets = tokens.map((token) => (token + 1) % vocabulary);

  const step = (): Promise<number> =>
    scope(() => {
      const x = tensor(tokens, { shape: [steps, batch], device });
      const y = tensor(targets, { shape: [steps, batch], device });
      const loss = crossEntropy(model.forward(x), y);
      optimizer.zeroGrad();
      backward(loss);
      clipGradNorm(model, 1);
      optimizer.step();
      return loss.item() as Promise<number>;
    });

  return {
    name: `deep-rnn on ${device.description}`,
    async run(count) {
      const start = performance.now();
      for (let i = 0; i < count; i++) await step();
      return (performance.now() - start) / 1000;
    },
    close() {
      optimizer.dispose();
      model.dispose();
    },
  };
}
