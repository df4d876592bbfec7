import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

export interface DialogProps {
  readonly title: string;
  readonly confirm: string;
  /** Colours the confirm button as a destructive one. */
  readonly danger?: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A modal <dialog>: the browser keeps the focus inside, closes it on Escape and gives the focus back. */
export function Dialog({ title, confirm, danger = false, onConfirm, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog ref={element} aria-labelledby={titleId} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
        }}
      >
        <h2 id={titleId}>{title}</h2>
        {children}
        <div class="buttons end">
          <button type="button" onClick={() => onClose()}>
            Cancel
          </button>
          <button type="submit" class={danger ? 'danger' : 'primary'}>
            {confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}
