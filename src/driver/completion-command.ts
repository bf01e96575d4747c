/**
 * `spillway completion`: a script that lets a shell complete commands, options, their values, and files. It is made from the
 * commands themselves and needs no call of Spillway when a key is pressed.
 */
import type { Command, Option } from 'commander';
import { usageError, valuesOf } from './command-options.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

const EXAMPLES = `
Examples:
  source <(spillway completion bash)                                  in ~/.bashrc
  source <(spillway completion zsh)                                   in ~/.zshrc, after compinit
  spillway completion fish > ~/.config/fish/completions/spillway.fish
`;

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .summary('make completions for a shell')
    .description('Prints a script that lets a shell complete commands, options, targets and files.')
    .argument('<shell>', SHELLS.join(', '))
    .addHelpText('after', EXAMPLES)
    .action(async (shell: string) => {
      const { listChips } = await import('../target/chip.js');
      const chips = listChips();
      const commands = program.commands.map((command) => described(command, chips));
      switch (shell) {
        case 'bash':
          process.stdout.write(bashScript(commands));
          return;
        case 'zsh':
          process.stdout.write(zshScript(commands));
          return;
        case 'fish':
          process.stdout.write(fishScript(commands));
          return;
        default:
          throw usageError(`there are no completions for '${shell}'`, `the shells are ${SHELLS.join(', ')}`);
      }
    });
}

interface DescribedOption {
  readonly names: readonly string[]; // with their dashes
  readonly summary: string;
  readonly takesValue: boolean;
  readonly values: readonly string[]; // those that are known
}

interface DescribedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly DescribedOption[];
  /** What may be its argument, where that is no file. */
  readonly words: readonly string[];
}

function described(command: Command, chips: readonly string[]): DescribedCommand {
  const name = command.name();
  const words = name === 'completion' ? SHELLS : name === 'targets' ? chips : [];
  const options = command.options.map((option) => describedOption(option, chips));
  return { name, summary: command.summary() || command.description(), options, words };
}

function describedOption(option: Option, chips: readonly string[]): DescribedOption {
  const { short, long, description, required, optional, parseArg } = option;
  const names = [short, long].filter((name) => name !== undefined);
  const values = long === '--target' ? chips : valuesOf(parseArg);
  return { names, summary: description, takesValue: required || optional, values };
}

function bashScript(commands: readonly DescribedCommand[]): string {
  const cases = commands.map(({ name, options, words }) => {
    const valued = options
      .filter(({ values }) => values.length > 0)
      .map(({ names, values }) => `        ${names.join('|')}) words='${values.join(' ')}' ;;`);
    const free = options.filter(({ takesValue, values }) => takesValue && values.length === 0);
    return [
      `    ${name})`,
      '      case "$previous" in',
      ...valued,
      ...(free.length > 0 ? [`        ${free.flatMap(({ names }) => names).join('|')}) ;;`] : []),
      '        *)',
      `          if [[ $current == -* ]]; then words='${options.flatMap(({ names }) => names).join(' ')} --help'`,
      `          else words='${words.join(' ')}'; fi ;;`,
      '      esac ;;',
    ].join('\n');
  });
  return `# bash completion for spillway
_spillway() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=''
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help --help --version' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  # Where no words are known, readline completes files.
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _spillway spillway
`;
}

function zshScript(commands: readonly DescribedCommand[]): string {
  // Brackets and colons end what _arguments takes as a description.
  const plain = (text: string): string => text.replace(/'/g, '’').replace(/[[\]:]/g, ' ');
  const spec = ({ names, summary, takesValue, values }: DescribedOption): string => {
    const value = !takesValue ? '' : values.length > 0 ? `:value:(${values.join(' ')})` : ':value:_files';
    return names.map((name) => `'*${name}[${plain(summary)}]${value}'`).join(' ');
  };
  const cases = commands.map(({ name, options, words }) => {
    const rest = words.length > 0 ? `'1:argument:(${words.join(' ')})'` : "'*:file:_files'";
    return `    ${name}) _arguments ${[...options.map(spec), rest].join(' ')} ;;`;
  });
  return `#compdef spillway
# zsh completion for spillway
_spillway() {
  local -a commands=(
${commands.map(({ name, summary }) => `    '${name}:${plain(summary)}'`).join('\n')}
  )
  local state line
  _arguments -C '1:command:->command' '*::argument:->argument'
  if [[ $state == command ]]; then _describe command commands; return; fi
  case "$line[1]" in
${cases.join('\n')}
  esac
}
compdef _spillway spillway
`;
}

function fishScript(commands: readonly DescribedCommand[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = commands.flatMap(({ name, summary, options, words }) => [
    `complete -c spillway -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    ...(words.length > 0
      ? [`complete -c spillway -n '__fish_seen_subcommand_from ${name}' -f -a ${quoted(words.join(' '))}`]
      : []),
    ...options.map(({ names, summary: what, takesValue, values }) => {
      const flags = names.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      const value = !takesValue ? '' : values.length > 0 ? ` -x -a ${quoted(values.join(' '))}` : ' -r';
      return `complete -c spillway -n '__fish_seen_subcommand_from ${name}' ${flags.join(' ')}${value} -d ${quoted(what)}`;
    }),
  ]);
  return `# fish completion for spillway\n${lines.join('\n')}\n`;
}
