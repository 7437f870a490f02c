const { DeepLSTM, randn } = require('deep-rnn');

const { output } = new DeepLSTM({ layers: 2 }).forward(randn([5, 3, 4]));
if (output.shape.join() !== '5,3,256') throw new Error(`Expected the shape 5,3,256 but received ${output.shape}`);
import('deep-rnn').then((library) => {
  if (library.DeepLSTM !== DeepLSTM) throw new Error('Expected import and require to give the same class');
  console.log('require passed');
});
