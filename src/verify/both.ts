/** The same computation on the CPU and on the GPU. */
import type { Device } from '../device.js';
import type { DType, NumberArray } from '../dtype.js';
import { tensor } from '../ops/index.js';
import { RandomSource } from '../random.js';
import { scope } from '../scope.js';
import { backward } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { Comparison } from './checks.js';

/** Numbers on the host, to be put on each of the devices. */
export interface HostValues {
  readonly shape: readonly number[];
  readonly data: NumberArray;
  readonly dtype: DType;
}

/** Seeded numbers spread evenly over low..high; int32: integers of low..high - 1. */
export function values(shape: readonly number[], dtype: DType, seed: number, low = -1, high = 1): HostValues {
  const source = new RandomSource(seed);
  const size = shape.reduce((product, count) => product * count, 1);
  const draw = () => low + (high - low) * source.nextFloat();
  if (dtype === 'int32') return { shape, dtype, data: Int32Array.from({ length: size }, () => Math.floor(draw())) };
  const data = Float64Array.from({ length: size }, draw);
  return { shape, dtype, data: dtype === 'float64' ? data : Float32Array.from(data) };
}

/** The values as a leaf on a device. */
export function leafOn({ shape, data, dtype }: HostValues, device: Device): Tensor {
  return tensor(data, { shape, dtype, device, requiresGrad: dtype !== 'int32' });
}

/** The loss whose gradients are compared: outputs weighted by fixed numbers, so that no two errors cancel. */
export function weighted(outputs: readonly Tensor[], device: Device): Tensor | undefined {
  return outputs
    .filter(({ dtype }) => dtype !== 'int32')
    .map((output, i) =>
      output
        .mul(
          tensor(values(output.shape, output.dtype, 1000 + i).data, {
            shape: [...output.shape],
            dtype: output.dtype,
            device,
          }),
        )
        .sum(),
    )
    .reduce<Tensor | undefined>((total, next) => total?.add(next) ?? next, undefined);
}

/** What is compared. */
export type Operation = (...inputs: Tensor[]) => Tensor | Tensor[];

type Named = [name: string, data: NumberArray];

/** Outputs of an operation and the gradients of its inputs. */
export async function resultsOn(device: Device, inputs: readonly HostValues[], operation: Operation): Promise<Named[]> {
  const reads = scope(() => {
    const leaves = inputs.map((input) => leafOn(input, device));
    const outputs = [operation(...leaves)].flat();
    const found: [string, Promise<NumberArray>][] = outputs.map((output, i) => [`output ${i}`, output.data()]);
    const loss = weighted(outputs, device);
    if (loss?.requiresGrad) backward(loss);
    for (const [i, { grad }] of leaves.entries()) if (grad) found.push([`gradient ${i}`, grad.data()]);
    return found;
  });
  return Promise.all(reads.map(async ([name, data]): Promise<Named> => [name, await data]));
}

/** Compares what an operation gives on two devices; returns the largest difference in words. @throws Error beyond the tolerance. */
export async function compareOn(
  [cpu, gpu]: readonly [Device, Device],
  tolerance: number,
  inputs: readonly HostValues[],
  operation: Operation,
): Promise<string> {
  const [expected, actual] = await Promise.all([cpu, gpu].map((device) => resultsOn(device, inputs, operation)));
  const comparison = new Comparison(tolerance);
  if (actual.length !== expected.length) throw new Error(`${actual.length} results in place of ${expected.length}`);
  for (const [i, [name, data]] of expected.entries()) comparison.close(name, actual[i][1], data);
  return comparison.toString();
}
