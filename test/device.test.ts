import { afterEach, describe, expect, it } from 'vitest';
import { type Device, defaultDevice, device, setDefaultDevice } from '../src/device.js';
import { DeviceError } from '../src/errors.js';
import { embedding, matmul, ones, tensor, zeros } from '../src/ops/index.js';
import { scope } from '../src/scope.js';

const opened: Device[] = [];

function open(...options: Parameters<typeof device>): Device {
  const made = device(...options);
  opened.push(made);
  return made;
}

afterEach(() => {
  for (const made of opened.splice(0)) made.close();
});

describe('device', () => {
  it('opens the CPU with the threads asked for and describes it', () => {
    const cpu = open('cpu', { threads: 2 });
    expect([cpu.kind, cpu.threads, cpu.isClosed]).toEqual(['cpu', 2, false]);
    expect(cpu.description).toMatch(/\S/);
    expect(open().threads).toBeGreaterThanOrEqual(1);
  });

  it('opens a CUDA device or says why there is none', () => {
    try {
      expect(open('cuda').kind).toBe('cuda');
    } catch (error) {
      expect(error).toBeInstanceOf(DeviceError);
      expect((error as Error).message).toMatch(
        /^Expected a CUDA device but (this build has no CUDA backend|none can be used): \S/,
      );
    }
  });

  it('takes the kind of DEEP_RNN_DEVICE where none is named', () => {
    const before = process.env.DEEP_RNN_DEVICE;
    try {
      process.env.DEEP_RNN_DEVICE = 'cpu';
      expect(open().kind).toBe('cpu');
      process.env.DEEP_RNN_DEVICE = 'gpu';
      expect(() => device()).toThrow('for DEEP_RNN_DEVICE but received "gpu"');
    } finally {
      if (before === undefined) delete process.env.DEEP_RNN_DEVICE;
      else process.env.DEEP_RNN_DEVICE = before;
    }
  });

  it.each([
    [() => device('gpu' as never), "Expected one of 'auto', 'cpu', 'cuda' for kind but received \"gpu\""],
    [() => device('cpu', { threads: -1 }), 'Expected an integer from 0 to 1024 for threads but received -1'],
    [() => device('cpu', { threads: NaN }), 'for threads but received NaN'],
    [() => device('cpu', { memoryLimit: 0.5 }), 'Expected an integer at least 0 for memoryLimit but received 0.5'],
    [() => device('cpu', { thread: 1 } as never), "(did you mean 'threads'?)"],
  ])('rejects wrong options: %s', (make, message) => {
    expect(make).toThrow(message);
  });

  it('measures its peak in turn with other work', async () => {
    const [one, two] = [open('cpu', { threads: 1 }), open('cpu', { threads: 2 })];
    const sum = scope(() => ones([1000], { device: two }).sum().item());
    const peaks = [await one.measurePeak(), await two.measurePeak()];
    expect(await sum).toBe(1000);
    for (const { float32, bfloat16 } of peaks)
      for (const rate of [float32, bfloat16]) expect(rate).toSatisfy((rate: number) => rate > 1e6 && rate < 1e15);
    expect(peaks[0].barrier).toBe(0);
    expect(peaks[1].barrier).toSatisfy((seconds: number) => seconds > 0 && seconds < 1);
  });

  it('counts what its tensors take', () => {
    const cpu = open('cpu');
    const before = cpu.memory();
    scope(() => {
      zeros([1000], { device: cpu });
      zeros([500], { device: cpu, dtype: 'float64' });
      const during = cpu.memory();
      expect(during.buffers - before.buffers).toBe(2);
      expect(during.bytes - before.bytes).toBe(8000);
    });
    const after = cpu.memory();
    expect([after.buffers, after.bytes]).toEqual([before.buffers, before.bytes]);
    expect(after.peak).toBeGreaterThanOrEqual(8000);
  });

  it('refuses tensors beyond its memory limit and goes on', async () => {
    const cpu = open('cpu', { memoryLimit: 1_000_000 });
    expect(() => zeros([250_001], { device: cpu })).toThrow(
      'Expected a tensor of at most 1000000 bytes, the device\'s memory limit, for shape but received "[250001] float32, 1000004 bytes"',
    );
    scope(() => {
      zeros([200_000], { device: cpu });
      expect(() => zeros([200_000], { device: cpu })).toThrow(
        /out of memory: needed 800000 bytes, 800000 in use, limit 1000000/,
      );
    });
    expect(await scope(() => ones([200_000], { device: cpu }).sum().item())).toBe(200_000);
  });
});

describe('close', () => {
  it('is idempotent, and everything after it says that the device was closed', async () => {
    const cpu = open('cpu');
    const x = tensor([1, 2], { device: cpu });
    cpu.close();
    cpu.close();
    expect(cpu.isClosed).toBe(true);
    expect(() => x.add(1)).toThrow(/^Expected an open device but this one was closed/);
    expect(() => x.copyFrom([1, 2])).toThrow(/closed/);
    await expect(x.data()).rejects.toMatchObject({ name: 'DeviceError' });
    expect(() => zeros([1], { device: cpu })).toThrow(/closed/);
    expect(() => cpu.memory()).toThrow(/closed/);
    await expect(cpu.synchronize()).rejects.toThrow(/closed/);
    await expect(cpu.measurePeak()).rejects.toThrow(/closed/);
    expect(() => cpu.clearError()).toThrow(/closed/);
    expect(() => x.dispose()).not.toThrow();
  });

  it('rejects reads under way', async () => {
    const cpu = open('cpu');
    const reads = scope(() => {
      let y = ones([300, 300], { device: cpu });
      for (let i = 0; i < 20; i++) y = matmul(y, y).mul(1 / 300);
      return [y.data(), y.sum().item()];
    });
    const settled = Promise.allSettled(reads);
    cpu.close();
    // A read may have been done already; one that was not must reject, and none may hang.
    for (const read of await settled) if (read.status === 'rejected') expect(read.reason.name).toBe('DeviceError');
  });

  it('may happen within a scope, and by using', () => {
    let escaped: Device;
    scope(() => {
      using cpu = open('cpu');
      escaped = cpu;
      zeros([3], { device: cpu });
    });
    expect(escaped!.isClosed).toBe(true);
  });
});

describe('a failed computation', () => {
  it('rejects every later read with its name and shapes until clearError', async () => {
    const cpu = open('cpu');
    const fail = () =>
      scope(() => embedding(ones([3, 4], { device: cpu }), tensor([7], { dtype: 'int32', device: cpu })).data());
    await expect(fail()).rejects.toThrow(/gather.*7/s);
    await expect(cpu.synchronize()).rejects.toThrow(/gather/);
    await expect(scope(() => ones([1], { device: cpu }).item())).rejects.toMatchObject({ name: 'DeviceError' });
    cpu.clearError();
    await cpu.synchronize();
    expect(await scope(() => ones([1], { device: cpu }).item())).toBe(1);
    expect(cpu.memory().buffers).toBe(0);
  });

  it('does not touch other devices', async () => {
    const [broken, sound] = [open('cpu'), open('cpu')];
    const bad = scope(() =>
      embedding(ones([1, 1], { device: broken }), tensor([-1], { dtype: 'int32', device: broken })).data(),
    );
    await expect(bad).rejects.toMatchObject({ name: 'DeviceError' });
    expect(await scope(() => ones([2], { device: sound }).sum().item())).toBe(2);
  });
});

describe('defaultDevice', () => {
  it('opens on first use, stays, and opens again after it was closed', () => {
    const first = defaultDevice();
    opened.push(first);
    expect(defaultDevice()).toBe(first);
    first.close();
    const second = defaultDevice();
    opened.push(second);
    expect(second).not.toBe(first);
    expect(second.isClosed).toBe(false);
  });

  it('can be chosen', () => {
    const cpu = open('cpu', { threads: 1 });
    setDefaultDevice(cpu);
    scope(() => expect(zeros([1]).device).toBe(cpu));
    expect(() => setDefaultDevice('cpu' as never)).toThrow('Expected a device for device but received "cpu"');
    cpu.close();
    expect(() => setDefaultDevice(cpu)).toThrow(/closed/);
  });
});
