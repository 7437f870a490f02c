// What any program does with the package: forward, training steps, a state of its own in each worker thread.
import { isMainThread, Worker } from 'node:worker_threads';
import { Adam, crossEntropy, DeepLSTM, device, Linear, Module, manualSeed, randn, scope, tensor } from 'deep-rnn';

class Classifier extends Module {
  rnn = new DeepLSTM({ layers: 2, hiddenSize: 16 });
  head = new Linear({ outputs: 3 });

  forward(x) {
    return this.head.forward(this.rnn.forward(x).output.at(-1));
  }
}

function expect(condition, what) {
  if (!condition) throw new Error(`Expected ${what}`);
}

manualSeed(7);
const stack = new DeepLSTM({ layers: 2 });
const { output, state } = scope(() => stack.forward(randn([5, 3, 4])));
expect(output.shape.join() === '5,3,256' && state.h.shape.join() === '2,3,256', 'the shapes of a forward pass');
expect((await output.data()).every(Number.isFinite), 'a finite output');

const model = new Classifier();
const optimizer = new Adam({ learningRate: 0.02 }).attach(model);
const x = randn([6, 8, 4]);
const classes = tensor([0, 1, 2, 0, 1, 2, 0, 1], { dtype: 'int32' });
const losses = [];
for (let step = 0; step < 40; step++) {
  losses.push(
    await scope(() => {
      const loss = crossEntropy(model.forward(x), classes);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss.item();
    }),
  );
}
expect(losses.at(-1) < losses[0] / 2, `a falling loss but it went from ${losses[0]} to ${losses.at(-1)}`);

if (isMainThread) {
  const workers = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url)));
  const codes = await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.once('error', reject).once('exit', resolve);
        }),
    ),
  );
  expect(codes.join() === '0,0,0,0', `four workers that end well but their codes are ${codes}`);
  const cpu = device('cpu');
  console.log(`smoke passed on ${cpu.description}`);
}
