"""``python -m securitycamd`` and the ``securitycamd`` command."""

from securitycamd.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
