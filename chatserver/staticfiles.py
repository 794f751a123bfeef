from servestatic.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """Hashed names for ES modules too: their relative imports are rewritten, so the page needs no import map."""

    support_js_module_import_aggregation = True
    # One pass a floor of imports: a name can be hashed when all names below it are.
    max_post_process_passes = 20

    def stored_name(self, name: str) -> str:
        # Tests and a fresh checkout have collected nothing yet; one missing file should cost that file, not the page.
        try:
            stored: str = super().stored_name(name)
        except ValueError:
            return name
        return stored
