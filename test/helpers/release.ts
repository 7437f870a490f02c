/** Whether this run decides about a release: what may be missing in a checkout must then be there. */
export const isRelease = process.env.DEEP_RNN_RELEASE === '1';
