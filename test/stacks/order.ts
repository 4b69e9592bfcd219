/** The order of layers in a stack. */
import type { LayerScript } from './script.ts';

/**
 * Whether `timeout:late` is compared. With no grace a run around another one lets its caller go before it hears that nothing runs any
 * more, and tells of that, an instant later.
 */
export function isLateTold(layers: readonly LayerScript[]): boolean {
  return isUsual(layers) || !layers.some((layer) => layer.type === 'timeout' && layer.grace === 0);
}

/** The order that a policy makes one run of. In others there are runs in runs, which know less of each other. */
export function isUsual(layers: readonly LayerScript[]): boolean {
  const text = layers
    .map((layer) => (layer.type === 'fallback' ? 'x' : layer.type.slice(0, layer.type[0] === 'b' ? 2 : 1)))
    .join('');
  return /^[xl]*t?r?(br)?(bu)?(br)?t?f?$/.test(text);
}
