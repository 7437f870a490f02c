import {
  crossEntropy,
  DeepLSTM,
  type DeepLSTMOptions,
  type Epoch,
  LanguageModel,
  loadCorpus,
  Module,
  type SGD,
  scope,
  type Tensor,
  tensor,
} from 'deep-rnn';

const options: DeepLSTMOptions = { layers: 2, hiddenSize: 8 };

export class Model extends Module {
  readonly rnn = new DeepLSTM(options);

  forward(x: Tensor): Tensor {
    const { output, state } = this.rnn.forward(x);
    const shapes: readonly number[] = state.h.shape;
    return shapes.length === 3 ? output.at(-1) : output;
  }
}

export function trainingStep(model: Model, optimizer: SGD, x: Tensor): Promise<number> {
  return scope(() => {
    const loss = crossEntropy(model.forward(x), tensor([0, 1], { dtype: 'int32' }));
    loss.backward();
    optimizer.step();
    return loss.item();
  });
}

export async function modelOf(text: string): Promise<LanguageModel> {
  const { vocabulary } = await loadCorpus({ text });
  return new LanguageModel(new DeepLSTM(options), { vocabulary });
}

export const last = (epochs: Epoch[]): number | undefined => epochs.at(-1)?.perplexity;

// @ts-expect-error a name that is none of the options
new DeepLSTM({ hidenSize: 8 });
