/** The public surface of deep-rnn. */
/// <reference lib="esnext.disposable" preserve="true" />
export * from './data/index.js';
export {
  type Device,
  type DeviceGraphs,
  type DeviceKind,
  type DeviceMemory,
  type DeviceOptions,
  type DevicePeak,
  defaultDevice,
  device,
  type Explainable,
  type RnnExplanation,
  type RnnPassExplanation,
  type RnnTrial,
  setDefaultDevice,
} from './device.js';
export type { DataOf, DType, FloatDType, NestedNumbers, NumberArray } from './dtype.js';
export { ArgumentError, DeepRnnError, DeviceError, FreedError, ShapeError } from './errors.js';
export { graphed } from './graphed.js';
export {
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
  readSafetensors,
  type SafetensorsFile,
  type StateDict,
  writeSafetensors,
} from './io/safetensors.js';
export type { GenerationOptions } from './models/generation.js';
export { LanguageModel, type LanguageModelOptions, type LanguageModelOutput } from './models/language-model.js';
export { type CellOptions, GRUCell, LSTMCell, RNNCell } from './nn/cells.js';
export { Dropout } from './nn/dropout.js';
export { Embedding, type EmbeddingOptions } from './nn/embedding.js';
export { DeepGRU } from './nn/gru.js';
export {
  constant,
  type Initializer,
  normal,
  orthogonal,
  uniform,
  xavierNormal,
  xavierUniform,
} from './nn/init.js';
export { LayerNorm, type LayerNormOptions as LayerNormModuleOptions } from './nn/layer-norm.js';
export { Linear, type LinearOptions } from './nn/linear.js';
export { DeepLSTM, type DeepLSTMOptions } from './nn/lstm.js';
export { type InitializationOptions, Module, type ModuleOptions } from './nn/module.js';
export { Parameter, parameter } from './nn/parameters.js';
export type { RecurrentInput, RecurrentOptions, RecurrentOutput, RecurrentStack } from './nn/recurrent.js';
export { DeepRNN, type DeepRNNOptions } from './nn/rnn.js';
export { type Layer, Sequential } from './nn/sequential.js';
export { detachState, type RecurrentState } from './nn/state.js';
export * from './ops/index.js';
export type { RnnAlgorithm, RnnPrecision } from './ops/rnn.js';
export { Adagrad, type AdagradOptions } from './optim/adagrad.js';
export { Adam, type AdamOptions, AdamW } from './optim/adam.js';
export { clipGradNorm, clipGradValue } from './optim/clip.js';
export { Optimizer, type OptimizerOptions, type ParameterGroup } from './optim/optimizer.js';
export { RMSprop, type RMSpropOptions } from './optim/rmsprop.js';
export {
  CosineAnnealingLR,
  ExponentialLR,
  LinearLR,
  ReduceLROnPlateau,
  type ReduceLROnPlateauOptions,
  type Schedule,
  StepLR,
} from './optim/schedules.js';
export { SGD, type SGDOptions } from './optim/sgd.js';
export { manualSeed, nextSeed, RandomSource } from './random.js';
export { keep, scope } from './scope.js';
export { type BackwardOptions, backward, isGradEnabled, noGrad } from './tape.js';
export { Tensor } from './tensor.js';
export type { Step, TrainerCallbacks } from './train/callbacks.js';
export { type Epoch, type Evaluation, perplexity } from './train/metrics.js';
export { nextTokenLoss } from './train/next-token.js';
export type { BatchSource, CarriedState, LossResult } from './train/pass.js';
export { type FitOptions, type LossFunction, Trainer, type TrainerOptions } from './train/trainer.js';
