import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { addonPath, binding, floats, upload } from './raw.js';

const run = promisify(execFile);

/** Opens a device and multiplies matrices of ones without end; `{ sum }` is posted after every hundredth product. */
const busy = `
  const { parentPort, workerData } = require('node:worker_threads');
  const binding = require(workerData.addonPath);
  const device = binding.openDevice(0, 1, 0);
  const size = 64;
  const x = binding.alloc(device, size * size * 4);
  const y = binding.alloc(device, size * size * 4);
  const sizes = Float64Array.of(1, size, size, size, size, size, size, 0, 0, 0);
  binding.fill(0, x, 0, size * size, 1);
  (async () => {
    for (let round = 0; round < workerData.rounds; round++) {
      for (let i = 0; i < 100; i++) binding.matmul(0, sizes, false, false, false, x, 0, x, 0, y, 0);
      const target = new Float32Array(size * size);
      await binding.read(y, 0, target);
      parentPort.postMessage({ sum: target.reduce((a, b) => a + b, 0) });
    }
  })();
`;

function start(rounds: number): Worker {
  return new Worker(busy, { eval: true, workerData: { addonPath, rounds } });
}

/** Resolves with everything posted when the worker has ended by itself. */
function finished(worker: Worker): Promise<{ code: number; sums: number[] }> {
  const sums: number[] = [];
  return new Promise((resolve, reject) => {
    worker.on('message', (message) => sums.push(message.sum));
    worker.on('error', reject);
    worker.on('exit', (code) => resolve({ code, sums }));
  });
}

describe('worker threads', () => {
  it('compute side by side, each with devices of its own', async () => {
    const device = binding.openDevice(0, 1, 0);
    const x = upload(device, Float32Array.of(1, 2, 3));
    const results = await Promise.all([1, 2, 3, 4].map(() => finished(start(5))));
    for (const { code, sums } of results) {
      expect(code).toBe(0);
      expect(sums).toEqual(Array(5).fill(64 ** 3));
    }
    expect(await floats(x, 3)).toEqual([1, 2, 3]);
    binding.closeDevice(device);
  });

  it('may be terminated in the middle of a step', async () => {
    for (let round = 0; round < 5; round++) {
      const workers = [start(1e9), start(1e9)];
      await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
      const codes = await Promise.all(workers.map((worker) => worker.terminate()));
      expect(codes).toEqual([1, 1]);
    }
    const device = binding.openDevice(0, 1, 0);
    expect(await floats(upload(device, Float32Array.of(7)), 1)).toEqual([7]);
    binding.closeDevice(device);
  });

  it('may be terminated while its queue is full', async () => {
    const flood = `
      const { parentPort, workerData } = require('node:worker_threads');
      const binding = require(workerData.addonPath);
      const device = binding.openDevice(0, 1, 0);
      const x = binding.alloc(device, 1 << 16);
      binding.fill(0, x, 0, 1 << 14, 0.5);
      parentPort.postMessage('started');
      for (;;) binding.unary(9, 0, 1 << 14, 0, x, 0, x, 0);
    `;
    const worker = new Worker(flood, { eval: true, workerData: { addonPath } });
    await new Promise((resolve) => worker.once('message', resolve));
    expect(await worker.terminate()).toBe(1);
  });
});

describe('the end of a process', () => {
  const open = `
    const binding = require(${JSON.stringify(addonPath)});
    const device = binding.openDevice(0, 2, 0);
    const size = 256;
    const x = binding.alloc(device, size * size * 4);
    const y = binding.alloc(device, size * size * 4);
    const sizes = Float64Array.of(1, size, size, size, size, size, size, 0, 0, 0);
    binding.fill(0, x, 0, size * size, 1);
    const work = (count) => {
      for (let i = 0; i < count; i++) binding.matmul(0, sizes, false, false, false, x, 0, x, 0, y, 0);
    };
  `;
  const node = (code: string) => run(process.execPath, ['-e', open + code], { timeout: 50_000 });

  it('comes by itself with an open device and queued work', async () => {
    const { stdout, stderr } = await node(`work(300); console.log('end');`);
    expect([stdout, stderr]).toEqual(['end\n', '']);
  });

  it('waits for pending reads', async () => {
    const { stdout } = await node(`
      work(50);
      const target = new Float32Array(1);
      binding.read(y, 0, target).then(() => console.log(target[0]));
    `);
    expect(stdout).toBe('256\n');
  });

  it('does not wait for reads when told to exit', async () => {
    const { stdout, stderr } = await node(`
      work(300);
      binding.read(y, 0, new Float32Array(1)).then(() => console.log('read'));
      process.on('exit', () => console.log('exit'));
      process.exit(0);
    `);
    expect([stdout, stderr]).toEqual(['exit\n', '']);
  });

  it('keeps an uncaught error as it is', async () => {
    const failure = await node(`work(300); binding.read(y, 0, new Float32Array(1)); throw new Error('mine');`).then(
      () => undefined,
      (error) => error,
    );
    expect(failure.code).toBe(1);
    expect(failure.stderr).toContain('Error: mine');
  });

  it('leaves an idle device asleep', async () => {
    const { stdout } = await node(`
      binding.synchronize(device).then(() => {
        const before = process.cpuUsage();
        setTimeout(() => {
          const { user, system } = process.cpuUsage(before);
          console.log((user + system) / 1000 < 250);
        }, 500);
      });
    `);
    expect(stdout).toBe('true\n');
  });
});
