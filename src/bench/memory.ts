/** How much memory a training step takes: the formula that docs/cpu-backend.md states. */
import type { Workload } from './workload.js';

/** Bytes, by what they are for. */
export interface TrainingMemory {
  /** Weights and their gradients; plain SGD has no state. */
  readonly parameters: number;
  /** What the recurrent stack keeps for its backward pass. */
  readonly reserve: number;
  /** Tokens, outputs, states, logits, probabilities, and the gradients of outputs and logits. */
  readonly activations: number;
  /** The recurrent stack's scratch memory: gradients between layers, and the weights of a layer as products read them. */
  readonly scratch: number;
}

/** Of the step of a language model on token input without dropout, on the CPU device. */
export function trainingMemory(workload: Workload): TrainingMemory {
  const { cell, precision, layers, hidden, projection, bidirectional, batch, steps, vocabulary } = workload;
  const isLstm = cell === 'lstm';
  const rounds = precision === 'bfloat16';
  const operand = rounds ? 2 : 4;
  const directions = bidirectional ? 2 : 1;
  const gates = { lstm: 4, gru: 3, rnnTanh: 1, rnnRelu: 1 }[cell];
  // A GRU keeps the state's part of its new gate apart.
  const positions = { lstm: 4, gru: 4, rnnTanh: 1, rnnRelu: 1 }[cell];
  const output = projection || hidden;
  const width = directions * output;
  // Blocks of 32 columns, over the rows of all steps and of the initial state.
  const rows = (steps + 1) * batch;
  const [wideHidden, wideOutput, wideTokens] = [hidden, output, vocabulary].map((size) => 32 * Math.ceil(size / 32));

  const recurrent = gates * hidden * output + (isLstm ? hidden * projection : 0) + 2 * gates * hidden;
  const inputs = vocabulary + (layers - 1) * width;
  const weights = directions * (layers * recurrent + gates * hidden * inputs) + (width + 1) * vocabulary;
  const state = (positions + (isLstm ? 1 : 0)) * wideHidden + wideOutput;
  const rounded = (rounds ? wideOutput : 0) + (projection ? wideHidden : 0);
  const between =
    Math.min(layers, 2) * 4 * rows * directions * wideOutput + (rounds ? 2 * rows * positions * wideHidden : 0);
  const packed =
    gates * wideHidden * (wideOutput + Math.max(directions * wideOutput, wideTokens)) +
    (projection ? wideHidden * wideOutput : 0);
  const groups = groupsOf(gates * hidden * output * operand, batch);
  // Each in whole pages.
  const perGroup = (width: number) => 4096 * Math.ceil((4 * width * (Math.ceil(batch / groups) | 1)) / 4096);
  const states =
    groups * (perGroup(wideOutput) + (isLstm ? 1 : 0) * perGroup(wideHidden) + (projection ? perGroup(wideHidden) : 0));
  const secondHalf = groups > 1 ? recurrent + gates * hidden * Math.max(vocabulary, layers > 1 ? width : 0) : 0;
  return {
    parameters: 2 * 4 * weights,
    reserve: layers * directions * rows * (4 * state + operand * rounded),
    activations:
      4 * steps * batch * (2 + width + 2 * vocabulary + Math.max(vocabulary, width)) +
      4 * layers * directions * batch * (output + (isLstm ? hidden : 0)),
    scratch: between + states + operand * packed + 4 * secondHalf,
  };
}

/** Groups of sequences that threads may take, by the bytes of one layer's recurrent weights; `sequence_groups` in the backend. */
function groupsOf(bytes: number, batch: number): number {
  if (bytes > 512 * 2 ** 10) return 1;
  return Math.max(1, Math.min(4, Math.floor(batch / (bytes > 256 * 2 ** 10 ? 16 : 8))));
}
