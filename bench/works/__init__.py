"""What is measured: a function a work, each answering the table's rows and leaving its figures behind."""
