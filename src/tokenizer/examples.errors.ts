// What can be wrong with a user's examples; `{place}` is "line 3" of a file or "example 3" of a list.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const exampleErrors = {
  EXAMPLES_MISSING: {
    status: 400,
    message: 'There are no examples: give at least one {"prompt": "…", "completion": "…"}.',
  },
  EXAMPLES_TOO_MANY: {
    status: 400,
    message: 'There are {found} examples; every evaluation scores all of them, so at most {most} are allowed. Send a sample.',
    fields: ['found', 'most'],
  },
  EXAMPLE_NOT_JSON: {
    status: 400,
    message: 'Examples, {place}: not a JSON value ({reason}). Write one JSON object a line, such as {"prompt": "…", "completion": "…"}.',
    fields: ['place'],
  },
  EXAMPLE_INVALID: {
    status: 400,
    message:
      'Examples, {place}: {reason}. Write {"prompt": "…", "completion": "…"}, the same with lists of messages, or {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}.',
    fields: ['place', 'reason'],
  },
  EXAMPLE_WITHOUT_OUTPUT: {
    status: 400,
    message: 'Examples, {place}: no output to learn ({reason}). Give a "completion", or end "messages" with the assistant\'s answer.',
    fields: ['place', 'reason'],
  },
  EXAMPLE_OTHER_FORM: {
    status: 400,
    message:
      'Examples, {place}: {found}, but the examples in front of it are {expected}; write all in one form, with "prompt" and "completion" as texts or as messages.',
    fields: ['place', 'found', 'expected'],
  },
  EXAMPLE_TOO_LONG: {
    status: 400,
    message:
      'Examples, {place}: {found} tokens{behind}; prompt and answer together may have {most}, the context of the base model. Shorten it.',
    fields: ['place', 'found', 'most'],
  },
  ANSWER_NOT_A_CHOICE: {
    status: 400,
    message: 'Examples, {place}: the answer "{answer}" is none of the choices {choices}. List every answer that occurs as a choice.',
    fields: ['place', 'answer', 'choices'],
  },
  CHOICES_REPEATED: {
    status: 400,
    message: 'The choice "{choice}" is listed more than once (blanks around it do not count): list every choice once.',
    fields: ['choice'],
  },
  CHOICE_BLANK: { status: 400, message: 'Choice {position} is blank: leave it out.', fields: ['position'] },
} as const satisfies ErrorTable;

export const failExamples = errorsOf(exampleErrors);
