"""Small programs that ``subprocesses.probe`` runs in processes of their own."""
