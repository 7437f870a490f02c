/** A command of the command line: its help, and what it does; the result is the exit status. */
export interface Command {
  help: string;
  run(args: readonly string[]): Promise<number>;
}
