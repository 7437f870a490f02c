/** What a step costs in calls, exactly: the stand-in for a GPU counts them, and the difference of two runs is the steady part. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { requireBuild, runNode } from '../helpers/programs.js';

type Calls = Record<string, { calls: number; bytes: number }>;

const program = fileURLToPath(new URL('steps.mjs', import.meta.url));

interface Program {
  what: 'train' | 'generate';
  dropout?: number;
  env?: Record<string, string>;
}

const UNGRAPHED = { DEEP_RNN_CUDA_GRAPHS: '0' };
/** Every pass is cut in three. */
const CUT = { DEEP_RNN_CUDNN_STEPS: '2', DEEP_RNN_SHIM_STEPS: '2' };

async function callsOf({ what, dropout = 0, env }: Program, count: number): Promise<Calls> {
  const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-calls-'));
  try {
    const file = join(folder, 'calls.json');
    const { status, stderr } = await runNode([program, what, String(count), String(dropout)], {
      env: { DEEP_RNN_SHIM_CALLS: file, ...env },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return JSON.parse(readFileSync(file, 'utf8')) as Calls;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What `more` turns make beyond `few`, for one of them. */
async function steadyCalls(turns: Program, few: number, more: number) {
  const [before, after] = [await callsOf(turns, few), await callsOf(turns, more)];
  const calls: Record<string, number> = {};
  const bytes: Record<string, number> = {};
  for (const [name, total] of Object.entries(after)) {
    const { calls: known, bytes: moved } = before[name] ?? { calls: 0, bytes: 0 };
    if (total.calls !== known) calls[name] = (total.calls - known) / (more - few);
    if (total.bytes !== moved) bytes[name] = (total.bytes - moved) / (more - few);
  }
  return { calls, bytes };
}

beforeAll(requireBuild);

describe('the calls of', () => {
  test('one training step: LSTM with 2 layers, cross-entropy, clipping, SGD', async () => {
    expect(await steadyCalls({ what: 'train', env: UNGRAPHED }, 20, 84)).toEqual({
      calls: {
        // Tokens and targets go up, each with an event that says when its staging memory is free again.
        cuMemcpyHtoDAsync_v2: 2,
        cuEventRecord: 2,
        // The loss comes back; reading it is the only thing that is waited for. Nothing is allocated.
        cuMemcpyDtoHAsync_v2: 1,
        cuStreamSynchronize: 1,
        // The gradients of the weights, and the gaps that the stand-in leaves between weights.
        cuMemsetD32Async: 2,
        // The stack: tokens become one-hot rows twice, weights are packed once, their gradients added back once.
        cudnnRNNForward: 1,
        cudnnRNNBackwardData_v8: 1,
        cudnnRNNBackwardWeights_v8: 1,
        one_hot_float32: 2,
        segments_float32_float32: 2,
        // The layer on top: its product and the two gradients of it, its bias and the gradient of that.
        cublasSgemmStridedBatched: 3,
        // The loss goes to a place of its own.
        copy_bits32: 1 + 1,
        accumulate_float32: 1,
        reduce_columns_float32: 1,
        // The mean loss and its gradient.
        cross_entropy_float32: 1,
        cross_entropy_backward_float32: 1,
        reduce_rows_float32: 1,
        // Gradients set to zero, the loss's own gradient, the norm, clipping, the update.
        fill_bits32: 2,
        sum_squares_float32: 1,
        sum_squares_join_float32: 1,
        clip_norm_float32: 1,
        binary_float32: 2,
        sgd_float32: 1,
        cuLaunchKernel: 19,
      },
      bytes: { cuMemcpyHtoDAsync_v2: 2 * 4 * 6 * 4, cuMemcpyDtoHAsync_v2: 4 },
    });
  });

  test('the same step where its passes are cut in three', async () => {
    const whole = await steadyCalls({ what: 'train', env: UNGRAPHED }, 20, 84);
    const cut = await steadyCalls({ what: 'train', env: { ...UNGRAPHED, ...CUT } }, 20, 84);
    expect(cut).toEqual({
      calls: {
        ...whole.calls,
        cudnnRNNForward: 3,
        cudnnRNNBackwardData_v8: 3,
        cudnnRNNBackwardWeights_v8: 3,
        one_hot_float32: 3 * 2,
        // Weights are packed once, the gaps in them set to zero once; each chunk's gradients are.
        segments_float32_float32: 1 + 3,
        cuMemsetD32Async: 1 + 3,
        cuLaunchKernel: 19 + 2 * 2 + 2,
      },
      bytes: whole.bytes,
    });
  });

  test.each([
    ['whole', {}],
    ['cut in three', CUT],
  ])('one training step that is replayed as a graph, its passes %s', async (_, env) => {
    expect(await steadyCalls({ what: 'train', env }, 20, 84)).toEqual({
      calls: {
        // Tokens, targets and the optimizer's coefficients in one copy, with an event; the step.
        cuMemcpyHtoDAsync_v2: 1,
        cuEventRecord: 1,
        cuGraphLaunch: 1,
        // The loss goes to a place of its own and comes back, which is the only thing that is waited for.
        copy_bits32: 1,
        cuLaunchKernel: 1,
        cuMemcpyDtoHAsync_v2: 1,
        cuStreamSynchronize: 1,
      },
      bytes: { cuMemcpyHtoDAsync_v2: 2 * 4 * 6 * 4 + 88, cuMemcpyDtoHAsync_v2: 4 },
    });
  });

  test('one replayed step with dropout between the layers', async () => {
    const without = await steadyCalls({ what: 'train' }, 20, 84);
    expect(await steadyCalls({ what: 'train', dropout: 0.5 }, 20, 84)).toEqual({
      ...without,
      // The masks are set up before the launch.
      calls: { ...without.calls, cudnnSetDropoutDescriptor: 1 },
    });
  });

  test('one call of generate with 10 tokens', async () => {
    expect(await steadyCalls({ what: 'generate', env: UNGRAPHED }, 3, 5)).toEqual({
      calls: {
        // The prefix goes up, the tokens come back at the end of all.
        cuMemcpyHtoDAsync_v2: 1,
        cuEventRecord: 1,
        cuMemcpyDtoHAsync_v2: 1,
        cuStreamSynchronize: 1,
        // Two zero states before; weights packed once, with the gaps that the stand-in leaves between them.
        fill_bits32: 2,
        segments_float32_float32: 1,
        cuMemsetD32Async: 1,
        // Every token: one-hot, stack, bias, product, draw. The states are handed over at the end.
        one_hot_float32: 10,
        cudnnRNNForward: 10,
        cublasSgemmStridedBatched: 10,
        sample_float32: 10,
        cuMemcpyDtoDAsync_v2: 10 + 2,
        cuLaunchKernel: 23,
      },
      bytes: {
        cuMemcpyHtoDAsync_v2: 4 * 3,
        cuMemcpyDtoHAsync_v2: 4 * 10,
        // The vocabulary has 16 entries, a state 2 layers of 8.
        cuMemcpyDtoDAsync_v2: 4 * (10 * 16 + 2 * 2 * 8),
      },
    });
  });
});
