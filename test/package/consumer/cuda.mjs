// The same training steps on the CPU and on a CUDA device: the losses must agree and fall.
import {
  Adam,
  crossEntropy,
  DeepLSTM,
  device,
  Linear,
  Module,
  manualSeed,
  scope,
  setDefaultDevice,
  tensor,
} from 'deep-rnn';

class Classifier extends Module {
  rnn = new DeepLSTM({ layers: 2, hiddenSize: 8 });
  head = new Linear({ outputs: 3 });

  forward(x) {
    return this.head.forward(this.rnn.forward(x).output.at(-1));
  }
}

async function train(kind) {
  const opened = device(kind);
  setDefaultDevice(opened);
  manualSeed(7);
  const numbers = Float32Array.from({ length: 5 * 6 * 4 }, (_, i) => Math.sin(i));
  const x = tensor(numbers, { shape: [5, 6, 4] });
  const classes = tensor([0, 1, 2, 0, 1, 2], { dtype: 'int32' });
  const model = new Classifier();
  const optimizer = new Adam({ learningRate: 0.02 }).attach(model);
  const losses = [];
  for (let step = 0; step < 10; step++)
    losses.push(
      await scope(() => {
        const loss = crossEntropy(model.forward(x), classes);
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        return loss.item();
      }),
    );
  const { description } = opened;
  opened.close();
  return { description, losses };
}

const cpu = await train('cpu');
const cuda = await train('cuda');
cuda.losses.forEach((loss, step) => {
  if (!(Math.abs(loss - cpu.losses[step]) < 1e-4))
    throw new Error(`Expected a loss of ${cpu.losses[step]} at step ${step} but received ${loss}`);
});
if (!(cuda.losses.at(-1) < cuda.losses[0])) throw new Error(`Expected falling losses but received ${cuda.losses}`);
console.log(`trained on ${cuda.description}: ${cuda.losses[0].toFixed(4)} to ${cuda.losses.at(-1).toFixed(4)}`);
