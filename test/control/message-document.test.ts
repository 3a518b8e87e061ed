import { expect, it } from 'vitest';
import { MESSAGE_TYPES } from '../../src/control/messages.js';
import type { Field, Shape } from '../../src/control/shape.js';

/** The document of the control link's messages, from the table that both ends check with. */
function messageDocument(): string {
  const lines = [
    '# Messages of the control link',
    '',
    'Made from `src/control/messages.ts` by `npx vitest run -u test/control/message-document.test.ts`.',
    '',
    'JSON text, the same over every link (WebSocket, MQTT, event stream, polling, inside the tunnel): `{"type", "id"?,',
    '"from"?, "to"?, "data", "timestamp"?}`. `from` is set by the server; `timestamp` is milliseconds since 1970. Unknown',
    'types and unknown fields are ignored, types are counted. A gateway tells in `hello` the largest message it takes;',
    'nobody sends more than 65,536 bytes.',
  ];
  for (const [name, type] of Object.entries(MESSAGE_TYPES)) {
    const arrow = { up: 'gateway → server', down: 'server → gateway', both: 'both ways' }[type.direction];
    lines.push(
      '',
      `## \`${name}\``,
      '',
      `${arrow}${type.seed ? ', named by the seed document' : ''}. ${type.doc}`,
      '',
    );
    const rows = Object.entries(type.data).flatMap(([field, value]) => rowsOf(field, value));
    if (rows.length === 0) lines.push('No fields.');
    else lines.push('| field | holds | |', '|---|---|---|', ...rows);
  }
  return `${lines.join('\n')}\n`;
}

function rowsOf(name: string, { shape, optional }: Field): string[] {
  const row = `| \`${name}\`${optional ? ' (optional)' : ''} | ${kindOf(shape)} | ${shape.doc ?? ''} |`;
  const inner = shape.kind === 'list' ? shape.of : shape;
  if (inner.kind !== 'record') return [row];
  const prefix = shape.kind === 'list' ? `${name}[].` : `${name}.`;
  return [row, ...Object.entries(inner.fields).flatMap(([field, value]) => rowsOf(prefix + field, value))];
}

function kindOf(shape: Shape): string {
  switch (shape.kind) {
    case 'text':
      return shape.oneOf
        ? shape.oneOf.map((value) => `\`${value}\``).join(', ')
        : `text, at most ${shape.most}`;
    case 'number':
      return `${shape.integer ? 'whole number' : 'number'}, ${shape.least} to ${shape.most}`;
    case 'flag':
      return 'true or false';
    case 'list':
      return `list of at most ${shape.most}`;
    case 'record':
      return 'object';
  }
}

it('the document of the messages says what the table says', async () => {
  await expect(messageDocument()).toMatchFileSnapshot('../../host/control-plane/MESSAGES.md');
});
