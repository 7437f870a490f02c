import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../src/io/safetensors.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import { tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { expectClose } from '../helpers/close.js';
import { FIXTURES, loadFixture } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

const numbers = loadFixture('torch-lstm-output.safetensors');
const input = numbers.get('x')!;

const run = (rnn: DeepLSTM) =>
  Promise.all(
    scope(() => {
      const { output, state } = rnn.forward(tensor(input.data, { shape: input.shape }));
      return [output, state.h, state.c!].map((value) => value.data()) as never;
    }) as Promise<Float32Array>[],
  );

it('a state dict that PyTorch wrote loads, and gives the outputs of PyTorch', async () => {
  const { tensors } = await readSafetensors(fileURLToPath(new URL('torch-lstm.safetensors', FIXTURES)));
  using rnn = new DeepLSTM({ layers: 2, hiddenSize: 6, bidirectional: true });
  rnn.loadStateDict(tensors);
  expect(rnn.inputSize).toBe(5);
  expect(await rnn.stateDict()).toEqual(
    new Map([...rnn.namedParameters().keys()].map((name) => [name, tensors.get(name)])),
  );
  const [output, h, c] = await run(rnn);
  expectClose(output, Array.from(numbers.get('output')!.data), 'recurrent', 'float32');
  expectClose(h, Array.from(numbers.get('h')!.data), 'recurrent', 'float32');
  expectClose(c, Array.from(numbers.get('c')!.data), 'recurrent', 'float32');
});

const SCRIPT = `
import json, sys
import torch
from safetensors.torch import load_file
module = torch.nn.LSTM(5, 6, num_layers=2, bidirectional=True)
module.load_state_dict(load_file(sys.argv[1]), strict=True)
with torch.no_grad():
    output, (h, c) = module(load_file(sys.argv[2])["x"])
print(json.dumps([value.flatten().tolist() for value in (output, h, c)]))
`;

/** A Python that has PyTorch and safetensors: DEEP_RNN_PYTHON, or the first on the path. */
function pythonWithTorch(): string | undefined {
  const candidates = [process.env.DEEP_RNN_PYTHON, 'python3', 'python'].filter((name) => name !== undefined);
  return candidates.find((name) => spawnSync(name, ['-c', 'import torch, safetensors.torch']).status === 0);
}

it('PyTorch loads what we write, and gives our outputs', async (context) => {
  const python = pythonWithTorch();
  if (python === undefined) {
    const reason =
      'no Python with torch and safetensors found (set DEEP_RNN_PYTHON): loading our file in PyTorch was NOT tested';
    console.warn(reason);
    context.skip(reason);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'interchange-'));
  try {
    using rnn = new DeepLSTM({ layers: 2, inputSize: 5, hiddenSize: 6, bidirectional: true });
    const path = join(folder, 'lstm.safetensors');
    await writeSafetensors(path, await rnn.stateDict(), { format: 'pt' });
    const x = fileURLToPath(new URL('torch-lstm-output.safetensors', FIXTURES));
    const wanted: number[][] = JSON.parse(execFileSync(python, ['-c', SCRIPT, path, x], { encoding: 'utf8' }));
    const actual = await run(rnn);
    wanted.forEach((values, i) => {
      expectClose(actual[i], values, 'recurrent', 'float32');
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
