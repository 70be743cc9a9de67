"""Bring labelled pictures into a store, and out of it, in the formats of other tools.

formats       the table of formats, import and export
plain         class folders, and a CSV table with everything that is known
label_studio  tasks of Label Studio as JSON
fiftyone      FiftyOneImageClassificationDataset: data/ and labels.json
"""

from edgecls.collect.exchange.formats import FORMATS, Imported, export_pictures, import_pictures

__all__ = ["FORMATS", "Imported", "export_pictures", "import_pictures"]
