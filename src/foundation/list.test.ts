import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Link, List } from './list.ts';

/** The members, oldest first, and whether walking backwards gives the same. */
function members(list: List): Link[] {
  const forwards: Link[] = [];
  for (let link = list.first; link !== null; link = link.next) forwards.push(link);
  const backwards: Link[] = [];
  for (let link = list.last; link !== null; link = link.previous) backwards.push(link);
  expect(backwards.reverse()).toEqual(forwards);
  for (const link of forwards) expect(link.list).toBe(list);
  return forwards;
}

describe('a list', () => {
  test('is empty at first', () => {
    expect(members(new List())).toEqual([]);
  });

  test('holds its members oldest first', () => {
    const list = new List();
    const [a, b, c] = [new Link(), new Link(), new Link()];
    for (const link of [a, b, c]) list.add(link);
    expect(members(list)).toEqual([a, b, c]);
  });

  test.each([0, 1, 2])('loses a member that leaves, wherever it stands: %d of 3', (at) => {
    const list = new List();
    const links = [new Link(), new Link(), new Link()];
    for (const link of links) list.add(link);
    links[at]?.leave();
    expect(members(list)).toEqual(links.filter((_, place) => place !== at));
  });

  test('may be a member of another list, with members of its own', () => {
    const [outer, inner] = [new List(), new List()];
    const leaf = new Link();
    outer.add(inner);
    inner.add(leaf);
    inner.leave();
    expect(members(outer)).toEqual([]);
    expect(members(inner)).toEqual([leaf]);
  });
});

describe('a member', () => {
  test('that has left holds on to nothing', () => {
    const list = new List();
    const links = [new Link(), new Link(), new Link()];
    for (const link of links) list.add(link);
    links[1]?.leave();
    expect(links[1]).toMatchObject({ list: null, previous: null, next: null });
  });

  test('that is in no list may leave: nothing happens', () => {
    const list = new List();
    const link = new Link();
    list.add(link);
    link.leave();
    link.leave();
    new Link().leave();
    expect(members(list)).toEqual([]);
  });

  test('that has left may join again, at the end, or another list', () => {
    const [one, two] = [new List(), new List()];
    const [a, b] = [new Link(), new Link()];
    one.add(a);
    one.add(b);
    a.leave();
    one.add(a);
    expect(members(one)).toEqual([b, a]);
    b.leave();
    two.add(b);
    expect(members(one)).toEqual([a]);
    expect(members(two)).toEqual([b]);
  });
});

test('two lists behave as two arrays do, whatever comes and goes', () => {
  const size = 6;
  // Which link moves where: into list 0 or 1, or (2) out of the one it is in.
  const moves = fc.array(fc.tuple(fc.nat(size - 1), fc.nat(2)), { maxLength: 60 });
  fc.assert(
    fc.property(moves, (list) => {
      const links = Array.from({ length: size }, () => new Link());
      const real = [new List(), new List()] as const;
      const model: [Link[], Link[]] = [[], []];
      for (const [which, to] of list) {
        const link = links[which] as Link;
        link.leave();
        for (const array of model) if (array.includes(link)) array.splice(array.indexOf(link), 1);
        if (to < 2) {
          (real[to] as List).add(link);
          (model[to] as Link[]).push(link);
        }
        expect(members(real[0])).toEqual(model[0]);
        expect(members(real[1])).toEqual(model[1]);
      }
    }),
  );
});
