"""Compare two models on the same labelled pictures: may the new one replace the one in use?"""
