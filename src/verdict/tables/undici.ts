import type { Classification } from '../classification.ts';
import { byCode } from './codes.ts';

const table = /* @__PURE__ */ byCode([
  ['UND_ERR_CONNECT_TIMEOUT', 'transient', 'connect timeout', 'down'],
  ['UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT', 'ambiguous', 'timeout', 'down'],
  ['UND_ERR_SOCKET UND_ERR_INFO UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'ambiguous', 'connection lost', 'down'],
  [
    'UND_ERR_INVALID_ARG UND_ERR_INVALID_RETURN_VALUE UND_ERR_NOT_SUPPORTED UND_ERR_REQ_CONTENT_LENGTH_MISMATCH UND_ERR_DESTROYED UND_ERR_CLOSED',
    'permanent',
    'a bug',
    'none',
  ],
]);

export function undiciError(code: string): Classification | undefined {
  return table.get(code);
}
