/** Steps that repeat: on a GPU each is sent as one CUDA graph. */
import { checkFunction } from './check.js';
import { checkDevice, type Device, defaultDevice } from './device.js';
import { checkSynchronous } from './scope.js';

/**
 * Runs `body`, telling a GPU that the work it asks for is one step that is likely to come again, as `torch.cuda.graph` and
 * `jax.jit` do. The work is sent when `body` has returned; once the same work, on the same memory, was sent twice it is captured
 * as a CUDA graph, and from then on launched as one. What may change without a new graph: numbers written to tensors, learning
 * rates, an optimizer's step count, and the seeds of random numbers. Everything else that changes (shapes, other constants,
 * unequal `lengths`) makes another step, which is sent as usual until it repeats too. The results are the same bit for bit.
 *
 * A `Trainer` does this for each of its steps. Read results after `body` has returned: a read inside sends what came before it.
 * On the CPU, and with `cudaGraphs: false`, nothing but `body` happens. {@link Device.graphs} counts.
 *
 * @param on The device whose work is meant; the default device when absent.
 * @throws ArgumentError when `body` returns a promise that is not of a read. Whatever `body` throws passes through.
 * @example
 * const model = new LSTMCell(4, 8);
 * const optimizer = new SGD({ learningRate: 0.1 }).attach(model);
 * const step = (x: Tensor) =>
 *   graphed(() =>
 *     scope(() => {
 *       optimizer.zeroGrad();
 *       const loss = model.forward(x).h.square().mean();
 *       backward(loss);
 *       optimizer.step();
 *       return loss.detach();
 *     }),
 *   );
 * for (let i = 0; i < 10; ++i) console.log(await step(randn([2, 4])).item());
 */
export function graphed<T>(body: () => T, on?: Device): T {
  checkFunction(body, 'graphed');
  const device = on === undefined ? defaultDevice() : checkDevice(on, 'device');
  const { binding, id, usesGraphs } = device;
  if (usesGraphs) binding.beginStep(id);
  try {
    const result = body();
    checkSynchronous(result, 'graphed');
    return result;
  } finally {
    // The body may have closed it.
    if (usesGraphs && !device.isClosed) binding.endStep(id);
  }
}
