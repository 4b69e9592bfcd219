/** Doubly linked lists through the members' own fields: to come and to go is O(1) and allocates nothing. */

/** Something that may be in one list at a time. */
export class Link {
  list: List | null = null;
  previous: Link | null = null;
  next: Link | null = null;

  /** Leaves the list it is in, if any. */
  leave(): void {
    this.list?.remove(this);
  }
}

/** A list, oldest first. It may be a member of another one, so lists make trees. */
export class List extends Link {
  first: Link | null = null;
  last: Link | null = null;

  /** `link` must be in no list. */
  add(link: Link): void {
    link.list = this;
    link.previous = this.last;
    if (this.last === null) this.first = link;
    else this.last.next = link;
    this.last = link;
  }

  /** `link` must be in this list. */
  remove(link: Link): void {
    const { previous, next } = link;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    link.list = link.previous = link.next = null;
  }
}
